"""What past tasks propose for a table before anything is tried, outside of any run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.search.plan import search_space
from autometa.search.settings import Settings

if TYPE_CHECKING:
    from autometa.task import Task
    from autometa.transfer import Explanation, Recommendation


def proposals_for(
    task: Task,
    count: int,
    *,
    families: tuple[str, ...] | None = None,
    store: str | None = None,
    explain: bool = False,
) -> tuple[list[Recommendation], Explanation | None]:
    """What to try first on a table, and what that rests on.

    Args:
        task: The table, its metric that of a scorer.
        count: How many configurations.
        families: Only these; None for all that suit the table.
        store: URL or path of the memory; None for the user's own. The shipped one is under it.
        explain: Whether to say which past tasks it rests on.

    Raises:
        InputError: A family is not known, or none suits the table.
        StoreError: The memory cannot be used.

    Example:
        >>> from autometa.search import Run
        >>> found, _ = proposals_for(Run.open(run).task, 2, families=("linear",))
        >>> [one.config["family"] for one in found]
        ['linear', 'linear']
    """
    from autometa.evaluation.machine import visible_gpus
    from autometa.metafeatures import describe
    from autometa.store import MetaStore
    from autometa.transfer import AdaptivePortfolio

    space = search_space(task, Settings(families=families))
    past = MetaStore.with_shipped(store).past(space="fit", kind=task.kind, metric=task.metric, gpu=bool(visible_gpus()))
    recommender, seen = AdaptivePortfolio().fit(past, space), describe(task)
    return recommender.recommend(seen, count), recommender.explain(seen) if explain else None
