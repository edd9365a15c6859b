"""What a table tries: the pool of everybody, then the winners among it elsewhere, then what a search of its own finds.

Letters:  t tasks · m configurations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from autometa.collect.options import OPTIONS
from autometa.families import available, cash_space, presets
from autometa.space import FAMILY, Config, config_key
from autometa.store import Exclusion, MetaStore, PastTasks, TaskRecord
from autometa.transfer.scale import normalised

SPACE = "fit"  # the space under which `fit` looks for experience


def pool(
    kind: str, configs: int, seed: int, families: Sequence[str] | None = None, *, filling: int = OPTIONS.filling
) -> list[Config]:
    """The configurations everybody tries: every family's default, presets, then a filling of the space.

    Every prefix of it is a pool too, so collecting with more configurations goes on from fewer; with `families` it is
    the pool without the others.

    See Also:
        `winners`, `autometa.families.presets`.

    Example:
        >>> [config["family"] for config in pool("binary", 3, seed=0, families=["knn", "linear"])]
        ['linear', 'knn', 'linear']
    """
    space = cash_space(kind)  # type: ignore[arg-type]
    seen: dict[str, Config] = {config_key(config): config for config in [*space.defaults(), *presets(kind)]}  # type: ignore[arg-type]
    fillings = []
    for family in available(kind):  # type: ignore[arg-type]
        branch = space.only([family])
        turns = len(branch) - 1  # a family takes as many turns as it has parameters
        filled = branch.fill(filling, seed)
        fillings += [((k + 0.5) / max(turns, 1), family, config) for k, config in enumerate(filled)]
    for _, _, config in sorted(fillings, key=lambda turn: turn[:2]):
        seen.setdefault(config_key(config), config)
    return [config for config in seen.values() if families is None or config[FAMILY] in families][:configs]


def winners(
    past: PastTasks, most: int, families: Sequence[str] | None = None, *, rare: float = OPTIONS.rare
) -> list[Config]:
    """At most `most` configurations that are the best on some task and known on fewer than a share `rare` of the tasks.

    Those come first that are furthest ahead, on average where they are known, of the best that most tasks know; of
    `families` alone, unless that is None.

    See Also:
        `pool`.

    Example:
        >>> configs = tuple({"family": "knn", "knn.n_neighbors": k} for k in (1, 2, 3))
        >>> records = tuple(TaskRecord(f"{t:032x}", f"t{t}", "binary", "roc_auc", 90, 2, 2) for t in range(3))
        >>> scores = np.array([[0.7, 0.6, np.nan], [0.6, 0.7, np.nan], [0.5, 0.6, 0.9]])
        >>> past = PastTasks(records, configs, scores, np.ones((3, 3)), np.zeros((3, 0)), ())
        >>> winners(past, 5)
        [{'family': 'knn', 'knn.n_neighbors': 3}]
    """
    if most <= 0 or not len(past):
        return []
    finite = np.where(np.isfinite(past.scores), past.scores, -np.inf)
    best = {int(column) for column in np.argmax(finite, axis=1)}
    little_known = np.sum(~np.isnan(past.scores), axis=0) < rare * len(past)
    stands = normalised(past.scores)
    bar = np.max(np.where(little_known | np.isnan(stands), 0.0, stands), axis=1, keepdims=True)
    ahead = np.nanmean(stands - bar, axis=0)
    order = sorted((column for column in best if little_known[column]), key=lambda column: (-ahead[column], column))
    listed = [past.configs[column] for column in order]
    return [config for config in listed if families is None or config[FAMILY] in families][:most]


def proposed(
    store: MetaStore, record: TaskRecord, unsuited: Collection[str], families: Sequence[str] | None, seed: int
) -> Config | None:
    """The next configuration of a table's own search, guided by what all tables know; None without a family for it."""
    from autometa.transfer import Guard, History

    asked = [f for f in available(record.kind) if families is None or f in families]  # type: ignore[arg-type]
    among = [f for f in asked if f not in unsuited]
    if not among:
        return None
    itself = Exclusion(fingerprints=frozenset({record.fingerprint}))
    past = store.past(space=SPACE, kind=record.kind, metric=record.metric, exclude=itself)
    space = cash_space(record.kind, among)  # type: ignore[arg-type]
    known = [e for e in store.evaluations(record.fingerprint, SPACE) if space.contains(e.config)]
    scores = [e.scores.get(record.metric, -np.inf) for e in known]
    history = History.of(space, [e.config for e in known], scores, [e.seconds for e in known])
    return Guard(space, past).suggest(history, rng=np.random.default_rng([seed, len(known)])).config
