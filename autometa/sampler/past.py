"""The past tasks that a store knows, and how far they can be compared with the task at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import optuna
from numpy.typing import NDArray

from autometa.errors import did_you_mean
from autometa.learn import learn_if_due
from autometa.libraries import LIBRARIES, SHIPPED
from autometa.space import SearchSpace
from autometa.store import Exclusion, MetaStore, PastTasks
from autometa.store.told import ToldTask
from autometa.studies import About
from autometa.studies.keeping import CONSTRAINED
from autometa.studies.summary import past_of
from autometa.transfer.similarity import Similarity, prior_weights, rows_of

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures

_log = optuna.logging.get_logger("optuna.autometa")


def read_past(
    store: MetaStore,
    name: str | None,
    about: About,
    kind: str | None,
    metric: str | None,
    exclude: Exclusion,
    renamed: Mapping[str, str] | None,
    *,
    learn: bool,
) -> tuple[PastTasks, Sequence[ToldTask]]:
    """Past tasks of a kind in a metric; or somebody's own studies under a name, and what they told of constraints."""
    if name is None:
        kind = kind or getattr(about.table, "kind", None)
        return store.past(kind=kind, metric=str(metric), exclude=exclude), ()
    past = past_of(store, name, exclude=exclude, renamed=renamed)
    if not past.records and store.exists() and not store.tasks(space=name):
        _log.info(f"The study starts cold: {nothing_of(store, name)}")
    if learn:
        learn_if_due(store, name, len(past))
    return past, store.told(space=name, kind=CONSTRAINED, exclude=exclude)


def nothing_of(store: MetaStore, name: str) -> str:
    """What to say of the name of a space that a store knows no study of."""
    there = sorted({record.space for record in store.tasks(space=None)} - {"fit"})
    others = f"Spaces there: {', '.join(there) or 'none'}."
    library = f"For the words of a library, pass {SHIPPED!r} as the store." if name in LIBRARIES else ""
    text = f"{store.url} knows no study of the space {name!r} yet. {did_you_mean(name, there)} {others} {library}"
    return " ".join(text.split())


def same_encoding(one: SearchSpace, other: SearchSpace) -> bool:
    """Whether two spaces encode alike: their defaults may differ."""
    return [(p.name, p.distribution, p.when) for p in one] == [(p.name, p.distribution, p.when) for p in other]


def task_weights(past: PastTasks, metafeatures: MetaFeatures | None) -> NDArray[np.float64] | None:
    """The weight of each past task before there is any result, (t,); None where nothing can be compared."""
    if metafeatures is None or not past.metafeature_names:
        return None
    seen = Similarity(past.metafeatures, tuple(past.metafeature_names), past.metafeature_version).to(metafeatures)
    sizes = np.array([record.n_rows for record in past.records], dtype=float)
    return (
        None
        if seen is None
        else prior_weights(sizes, rows_of(metafeatures), None if seen.strange else seen, same_space=seen.same_space)
    )
