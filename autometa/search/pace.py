"""What the trials so far tell about how long others take: families that are too slow, rounds that there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autometa.families import FAMILIES, rounds_of, suited_to
from autometa.origins import ORIGIN, REASON, Origin, State
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.settings import TrialRow
from autometa.space import FAMILY, Config, SearchSpace
from autometa.task import Task
from autometa.task.vectors import vector_groups


def late_families(trials: Sequence[TrialRow], times: int) -> frozenset[str]:
    """The families whose last trials, so many `times`, all ran out of time."""
    last: dict[str, int] = {}  # family -> how many of its trials have run out of time since one did not
    for row in sorted(trials, key=lambda row: row.number):
        family = row.evaluation.config[FAMILY]
        last[family] = last.get(family, 0) + 1 if row.evaluation.state == State.TIMEOUT else 0
    return frozenset(family for family, late in last.items() if late >= times)


def default_to_begin_with(space: SearchSpace, classes: int, options: SearchOptions = OPTIONS) -> Config:
    """The library's default that tells what a trial takes: boosting's, else that of the cheapest family."""
    defaults = space.defaults()
    boosting = [config for config in defaults if rounds_of(config) is not None]
    return [*boosting, *cheap_defaults(space, classes, options), *defaults][0]


def ends_by_itself(family: str) -> bool:
    """Whether the default of a family grows by trees, so that it ends where its time does.

    Example:
        >>> [ends_by_itself(name) for name in ("lightgbm", "random_forest", "svm")]
        [True, True, False]
    """
    return FAMILIES[family].grows_by in ("n_estimators", "max_iter")


def defaults_here(space: SearchSpace, task: Task, options: SearchOptions = OPTIONS) -> list[Config]:
    """The defaults that are tried where there is time for few, in the search's own process: what ends by its own clock.

    Boosting grows a tree for each class in a round, so of many classes a forest comes first. A small table's linear
    model needs no clock.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> space, wine = cash_space("multiclass"), make_task(X, y=y, name="wine")
        >>> [config["family"] for config in defaults_here(space, wine)]
        ['lightgbm', 'linear', 'random_forest']
        >>> defaults_here(space.only(["svm"]), wine)
        []
    """
    by_family = {config[FAMILY]: config for config in space.defaults()}
    boosting = [name for name, config in by_family.items() if rounds_of(config) is not None][:1]
    forest = [name for name in ("random_forest", "extra_trees") if name in by_family][:1]
    linear = ["linear"] if task.n * max(task.p, 1) * max(task.c, 1) <= options.cells_here else []
    many = task.c > options.free_classes
    order = [*forest, *linear, *boosting] if many else [*boosting, *linear, *forest]
    return [by_family[name] for name in order if name in by_family]


def heads_to_begin_with(space: SearchSpace, numeric: Sequence[str], trials: int | None) -> list[Config]:
    """Few-shot heads, where columns are embeddings: the default, and of four trials or more the logistic one too.

    The tables that ship with the memory have none, so that nothing of it recommends what suits them until such a table
    was searched (`Recall.knows_embeddings`).

    Example:
        >>> from autometa.families import cash_space
        >>> columns = [f"emb_{k}" for k in range(64)]
        >>> found = heads_to_begin_with(cash_space("binary", ["linear", "few_shot"]), columns, None)
        >>> [config["few_shot.head"] for config in found]
        ['mahalanobis', 'logistic']
    """
    defaults = [config for config in space.defaults() if config[FAMILY] == "few_shot"]
    if not defaults or not vector_groups(numeric):
        return []
    other = space.complete({FAMILY: "few_shot", "few_shot.head": "logistic"})
    more = trials is None or trials > 3  # of fewer, two of a kind would be most
    return [*defaults, *([other] if more and space.contains(other) and other not in defaults else [])]


def begin_with(
    study: Any, configs: Sequence[Config], reason: str, origin: Origin = Origin.DEFAULT, *, again: bool = False
) -> None:
    """Puts configurations into the queue of a study before anything else is proposed; those it has only if `again`."""
    for config in configs:
        study.enqueue_trial(config, user_attrs={ORIGIN: origin.value, REASON: reason}, skip_if_exists=not again)


def cheap_defaults(space: SearchSpace, classes: int, options: SearchOptions = OPTIONS) -> list[Config]:
    """Defaults that end soon on any table, the best first; of many classes those that need no descent for each."""
    few = classes <= options.many_classes
    order = ("linear", "naive_bayes", "knn") if few else ("discriminant", "naive_bayes", "linear", "knn")
    return [config for family in order for config in space.defaults() if config[FAMILY] == family]


def fall_back(
    space: SearchSpace, trials: Sequence[TrialRow], classes: int, options: SearchOptions = OPTIONS
) -> list[Config]:
    """The first cheap default of a family that was not tried yet, if there is one."""
    tried = {row.evaluation.config[FAMILY] for row in trials}
    return [config for config in cheap_defaults(space, classes, options) if config[FAMILY] not in tried][:1]


def too_many_trees(
    space: SearchSpace, classes: int, seconds: float | None, options: SearchOptions = OPTIONS
) -> list[str]:
    """The families of boosting that outlast a trial with their fewest rounds, for they grow a tree for each class.

    Example:
        >>> from autometa.families import cash_space
        >>> space = cash_space("multiclass", ["lightgbm", "linear"])
        >>> too_many_trees(space, 500, seconds=60.0), too_many_trees(space, 500, seconds=600.0)
        (['lightgbm'], [])
    """
    if seconds is None:
        return []
    fewest = {config[FAMILY]: rounds_of(suited_to(config, 0)) for config in space.defaults()}
    each = classes * options.tree_seconds
    return [family for family, rounds in fewest.items() if (rounds or 0) * each > options.trial_share * seconds]


def affordable(config: Config, trials: Sequence[TrialRow], *, seconds: float, folds: int, rows: int) -> Config:
    """A boosting configuration with the rounds that there is time for, and a rate and a size that suit them.

    Cut off at the rate that was meant for many rounds it would underfit. By what a round of this family took last.

    Args:
        config: Of any family; what is not boosting stays as it is.
        trials: That have finished.
        seconds: For all folds.
        folds: Of a trial.
        rows: That it learns from.
    """
    family = config[FAMILY]
    newest = sorted(trials, key=lambda row: -row.number)
    known = (row.evaluation for row in newest if row.evaluation.config[FAMILY] == family and row.evaluation.n_folds)
    for last in known:
        rounds = rounds_of(last.config)
        if rounds is None:
            return config
        pace = last.fit_seconds / last.n_folds / rounds * rows / last.rows
        return suited_to(config, int(seconds / folds / max(pace, 1e-9)))
    return config
