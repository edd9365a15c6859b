"""A surrogate learned from past studies of a space, and used only if it does no harm.

Some past studies are held out as a panel, with all that are of their families: the search is replayed on each among the
configurations that it tried, guided by all the others, with and without a surrogate that was trained on those. If the
surrogate does not make the panel worse it is trained on all studies and kept: for somebody's own space in the store,
where the next `WarmStartSampler` of that space finds it; for the space of `fit` in files that ship with the package.

Letters:  t past studies · m configurations.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.space import Encoded, SearchSpace
from autometa.store import MetaStore, PastTasks, TaskRecord
from autometa.studies import VALUE, adapt
from autometa.transfer.scale import normalised

if TYPE_CHECKING:
    from autometa.task import Kind
    from autometa.transfer import Surrogate

SECONDS = 60.0
PANEL, LARGEST_PANEL = 0.25, 24  # share of the studies that are held out, and at most so many
FEWEST = 4  # studies that training needs beside the panel
REPLAYED = 3  # configurations that a study must have tried to be replayed
TRIALS = (1, 3, 5, 10)
INITIAL = 3  # trials that come from the recommender
TOLERANCE = 0.01  # of the mean regret: that much worse may be chance on a small panel


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned for a space, and what held-out studies say of it."""

    space: str
    studies: int
    configurations: int
    trials: tuple[int, ...]
    regret: dict[str, tuple[float, ...]]  # on the panel after `trials`: random | without | with the surrogate; 0 = best
    panel: tuple[str, ...]  # the names of the studies that were held out
    used: bool  # whether the surrogate is kept in the store
    seconds: float
    notes: tuple[str, ...]  # what was done to past configurations


def learn(
    store: MetaStore,
    space: str,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> Learned:
    """Trains a surrogate for a named space and keeps it in the store if a panel of held-out studies is not worse.

    Args:
        store: Where `remember` keeps the studies.
        space: The name of their space.
        seconds: Most that training may take, in all.
        seed: Of the panel and of training.
        tell: Is told of the progress, a line at a time.

    Raises:
        InputError: If the store has too few studies under that name.
        StoreError: If the store cannot be used.
    """
    adapted = adapt(store.past(space=space, kind=None, metric=VALUE))
    if adapted.space is None or len(adapted.past) < FEWEST + 1:
        raise InputError(_too_few(store, space, len(adapted.past)))
    learned, surrogate = _learned(adapted.past, adapted.space, space, seconds=seconds, seed=seed, tell=tell)
    content, _ = store.weights(space)
    if surrogate is not None:
        with tempfile.TemporaryDirectory() as folder:
            surrogate.save(Path(folder) / "weights.npz")
            content = (Path(folder) / "weights.npz").read_bytes()
    store.keep_weights(space, content or b"", len(adapted.past))
    return replace(learned, notes=adapted.notes)


def learn_fit(
    store: MetaStore,
    folder: Path,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Learned]:
    """Trains the surrogates of the space of `fit`, one for each kind of task, and writes those that do no harm.

    Args:
        store: Evaluations of `fit`'s space, as `collect` makes them.
        folder: Gets ``surrogate-KIND.npz`` for each kind whose panel is not worse for it; made if it is not there.
        seconds: Most that training may take for one kind.
        seed: Of the panels and of training.
        tell: Is told of the progress, a line at a time.

    Raises:
        InputError: If the store has too few tasks of some kind, or `folder` cannot be one.
        StoreError: If the store cannot be used.
    """
    from autometa.evaluation import metric_for
    from autometa.families import cash_space

    kinds: tuple[Kind, ...] = ("binary", "multiclass", "regression")
    pasts = {kind: store.past(space="fit", kind=kind, metric=metric_for(kind)) for kind in kinds}
    problems = [_too_few(store, f"fit:{kind}", len(past)) for kind, past in pasts.items() if len(past) < FEWEST + 1]
    if problems:
        raise InputError(problems)
    try:  # before the minutes of training rather than after them
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Problem(str(folder), f"cannot be a folder: {error.strerror}", "Choose another.")) from error
    found = []
    for kind, past in pasts.items():
        learned, surrogate = _learned(past, cash_space(kind), f"fit:{kind}", seconds=seconds, seed=seed, tell=tell)
        if surrogate is not None:
            surrogate.save(folder / f"surrogate-{kind}.npz")
        found.append(learned)
    return found


def _learned(
    past: PastTasks,
    space: SearchSpace,
    name: str,
    *,
    seconds: float,
    seed: int,
    tell: Callable[[str], None],
) -> tuple[Learned, Surrogate | None]:
    """What the panel says; and the surrogate trained on everything, None if it made the panel worse."""
    from autometa.transfer.meta.training import train

    started = time.monotonic()
    panel = _panel(past, seed)
    kin = {_family(past.records[row]) for row in panel}
    rest = [row for row, record in enumerate(past.records) if _family(record) not in kin]
    tell(f"{name}: {len(past)} studies, {len(past.configs)} configurations; {len(panel)} held out")
    trial = train(_rows(past, rest), space, seconds=seconds / 2, seed=seed, tell=tell)
    tell("replaying the held-out studies")
    regret = _replay(space, past, rest, panel, trial, seed)
    # The first trials are the recommender's: what matters is what the search does after them.
    later = [i for i, trials in enumerate(TRIALS) if trials >= INITIAL]
    used = float(np.mean(regret["with"][later])) <= float(np.mean(regret["without"][later])) + TOLERANCE
    command = f"autometa learn --space {name.split(':')[0]} --seed {seed}"
    final = train(past, space, seconds=seconds / 2, seed=seed, command=command, tell=tell) if used else None
    held_out = {method: tuple(float(v) for v in values) for method, values in regret.items()}
    if final is not None:
        final.card["panel"] = {"tasks": len(panel), "trials": TRIALS, "mean_regret": held_out}
    learned = Learned(
        name,
        len(past),
        len(past.configs),
        TRIALS,
        held_out,
        tuple(past.records[row].name for row in panel),
        used,
        round(time.monotonic() - started, 1),
        (),
    )
    return learned, final


def _family(record: TaskRecord) -> str:
    return record.family or record.fingerprint


def _too_few(store: MetaStore, space: str, found: int) -> Problem:
    names = sorted({record.space for record in store.tasks(space=None)} - {"fit"})
    known = f"{did_you_mean(space, names)} Spaces there: {', '.join(names) or 'none'}.".strip()
    fix = known if found == 0 else "Remember more studies first (autometa.remember, autometa store import study)."
    return Problem(store.url, f"{found} studies of the space {space!r}, at least {FEWEST + 1} are needed", fix)


def _panel(past: PastTasks, seed: int) -> list[int]:
    """The studies to hold out: a random part of those that tried enough to be replayed."""
    able = [row for row, scores in enumerate(past.scores) if len(set(scores[np.isfinite(scores)])) >= REPLAYED]
    most = min(LARGEST_PANEL, max(1, round(PANEL * len(past))), len(past) - FEWEST)
    return sorted(np.random.default_rng(seed).permutation(able)[:most].tolist())


def _rows(past: PastTasks, rows: Sequence[int]) -> PastTasks:
    """Some of the studies."""
    return replace(
        past,
        records=tuple(past.records[row] for row in rows),
        scores=past.scores[list(rows)],
        seconds=past.seconds[list(rows)],
        metafeatures=past.metafeatures[list(rows)],
    )


def _replay(
    space: SearchSpace, past: PastTasks, rest: Sequence[int], panel: Sequence[int], surrogate: Surrogate, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Mean regret of the incumbent after `TRIALS` on the panel: 1 - its standing among what the study tried."""
    from autometa.transfer import Guard, History

    others = _rows(past, rest)
    guards = {"without": Guard(space, others, None), "with": Guard(space, others, surrogate)}
    found: dict[str, list[NDArray[np.float64]]] = {"random": [], "without": [], "with": []}
    for row in panel:
        tried = np.flatnonzero(~np.isnan(past.scores[row]))
        scores, points = past.scores[row, tried], space.encode_all([past.configs[j] for j in tried])
        worth = normalised(scores[None])[0]
        found["random"].append(_random(worth, seed))
        for name, guard in guards.items():
            left, chosen = list(range(len(tried))), list[int]()
            while left and len(chosen) < max(TRIALS):
                history = History(points.x[chosen], points.mask[chosen], scores[chosen])
                among = Encoded(points.x[left], points.mask[left])
                suggestion = guard.suggest(history, rng=np.random.default_rng(seed), among=among)
                assert suggestion.row is not None
                chosen.append(left.pop(suggestion.row))
            found[name].append(_after(1 - np.maximum.accumulate(worth[chosen])))
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def _random(worth: NDArray[np.float64], seed: int, draws: int = 200) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(worth)[: max(TRIALS)] for _ in range(draws)])
    return _after(1 - np.maximum.accumulate(orders, axis=1).mean(axis=0))


def _after(regret: NDArray[np.float64]) -> NDArray[np.float64]:  # (<= trials,) -> (len(TRIALS),)
    return np.array([regret[min(t, len(regret)) - 1] for t in TRIALS])
