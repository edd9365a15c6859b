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
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from numpy.typing import NDArray

from autometa.errors import AutoMetaError, InputError, Problem, StoreError, did_you_mean
from autometa.space import Encoded, SearchSpace
from autometa.store import MetaStore, PastTasks, TaskRecord
from autometa.studies import VALUE, adapt
from autometa.transfer.scale import normalised

if TYPE_CHECKING:
    from autometa.task import Kind
    from autometa.transfer import Surrogate


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """Constants of learning a surrogate and of judging it; `OPTIONS` are the ones in use. None of them was measured."""

    seconds: float = 60.0  # most that training may take, in all: what a person may wait for
    fewest_studies: int = 5  # of a space, with the panel
    more_studies: float = 1.2  # a surrogate is out of date once there are so many times the studies it learned from

    panel_share: float = 0.25  # of the studies, which are held out
    largest_panel: int = 24  # studies: more would only be slower to replay
    replayed_configs: int = 3  # different scores that a study must have, to be replayed
    trials: tuple[int, ...] = (1, 3, 5, 10)  # after which regret is told
    initial_trials: int = 3  # that a recommender gives, as in `WarmStartSampler`: the surrogate is judged after them
    tolerance: float = 0.01  # of the mean regret, in [0, 1]: so much worse may be chance on a small panel
    random_orders: int = 200  # over which the regret of a random order is averaged


OPTIONS = LearnOptions()
_log = optuna.logging.get_logger("optuna.autometa")


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
    seconds: float = OPTIONS.seconds,
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
        StoreError: If the store cannot be used, or written to.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> learn(MetaStore(folder.name + "/team.db"), "churn")
        Traceback (most recent call last):
        autometa.errors.InputError: ...: 0 studies of the space 'churn', at least 5 are needed. Spaces there: none.
        >>> folder.cleanup()
    """
    if store.read_only:  # said before the minute of training rather than after it
        raise StoreError(f"{store.url}: the store was opened for reading only, so that nothing learned can be kept.")
    adapted = adapt(store.past(space=space, kind=None, metric=VALUE))
    if adapted.space is None or len(adapted.past) < OPTIONS.fewest_studies:
        raise InputError(_too_few(store, space, len(adapted.past)))
    learned, surrogate = _learned(adapted.past, adapted.space, space, seconds=seconds, seed=seed, tell=tell)
    content, _ = store.weights(space)
    if surrogate is not None:
        with tempfile.TemporaryDirectory() as folder:
            surrogate.save(Path(folder) / "weights.npz")
            content = (Path(folder) / "weights.npz").read_bytes()
    store.keep_weights(space, content or b"", len(adapted.past))
    return replace(learned, notes=adapted.notes)


def is_due(store: MetaStore, space: str, studies: int) -> bool:
    """Whether a named space has so many studies that a surrogate is worth learning, anew if there is one already."""
    known = store.weights(space)[1]
    return studies >= OPTIONS.fewest_studies and studies >= OPTIONS.more_studies * known


def learn_aloud(store: MetaStore, name: str, *, seconds: float = OPTIONS.seconds, seed: int = 0) -> Learned:
    """Learns a surrogate for a named space, and says on Optuna's log that it begins and what came of it."""
    _log.info(f"Learning a surrogate from the past studies of {name!r}, in {seconds:.0f} s at most.")
    learned = learn(store, name, seconds=seconds, seed=seed, tell=_log.debug)
    verdict = "it is used" if learned.used else "held-out studies were worse for it, so it is not used"
    _log.info(f"Learned from {learned.studies} studies in {learned.seconds:.0f} s; {verdict}.")
    return learned


def learn_if_due(store: MetaStore, name: str, studies: int) -> None:
    """Learns where there are enough new studies; a failure is a warning, since a search works without a surrogate."""
    try:
        if not store.read_only and is_due(store, name, studies):
            learn_aloud(store, name)
    except (AutoMetaError, ImportError, OSError, RuntimeError, ValueError) as error:
        _log.warning(f"No surrogate was learned for {name!r}: {type(error).__name__}: {error}")


def kept_surrogate(store: MetaStore, name: str) -> Surrogate | None:
    """The surrogate that a store keeps for a named space, if this program can read it."""
    content, _ = store.weights(name)
    if content is None:
        return None
    from autometa.transfer import Surrogate

    try:
        return Surrogate.load(BytesIO(content))
    except AutoMetaError as error:
        _log.warning(f"The surrogate learned for {name!r} is not used: {error}")
        return None


def learn_fit(
    store: MetaStore,
    folder: Path,
    *,
    seconds: float = OPTIONS.seconds,
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
    problems = [
        _too_few(store, f"fit:{kind}", len(past)) for kind, past in pasts.items() if len(past) < OPTIONS.fewest_studies
    ]
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
    later = [i for i, trials in enumerate(OPTIONS.trials) if trials >= OPTIONS.initial_trials]
    used = float(np.mean(regret["with"][later])) <= float(np.mean(regret["without"][later])) + OPTIONS.tolerance
    command = f"autometa learn --space {name.split(':')[0]} --seed {seed}"
    final = train(past, space, seconds=seconds / 2, seed=seed, command=command, tell=tell) if used else None
    held_out = {method: tuple(float(v) for v in values) for method, values in regret.items()}
    if final is not None:
        final.card["panel"] = {"tasks": len(panel), "trials": OPTIONS.trials, "mean_regret": held_out}
    learned = Learned(
        name,
        len(past),
        len(past.configs),
        OPTIONS.trials,
        held_out,
        tuple(past.records[row].name for row in panel),
        used,
        round(time.monotonic() - started, 1),
        (),
    )
    return learned, final


def _family(record: TaskRecord) -> str:
    """What a study must not share with the panel: its dataset, with all that are of its family."""
    return record.family or record.fingerprint


def _too_few(store: MetaStore, space: str, found: int) -> Problem:
    """Says which spaces there are, or how to remember more studies."""
    names = sorted({record.space for record in store.tasks(space=None)} - {"fit"})
    known = f"{did_you_mean(space, names)} Spaces there: {', '.join(names) or 'none'}.".strip()
    fix = known if found == 0 else "Remember more studies first (autometa.remember, autometa store import study)."
    return Problem(
        store.url, f"{found} studies of the space {space!r}, at least {OPTIONS.fewest_studies} are needed", fix
    )


def _panel(past: PastTasks, seed: int) -> list[int]:
    """The studies to hold out: a random part of those that tried enough to be replayed."""
    able = [
        row
        for row, scores in enumerate(past.scores)
        if len(set(scores[np.isfinite(scores)])) >= OPTIONS.replayed_configs
    ]
    most = min(
        OPTIONS.largest_panel,
        max(1, round(OPTIONS.panel_share * len(past))),
        len(past) - OPTIONS.fewest_studies + 1,
    )
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
    """Mean regret of the incumbent after the numbers of trials in `OPTIONS`, on the panel: 1 - its normalised score."""
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
            while left and len(chosen) < max(OPTIONS.trials):
                history = History(points.x[chosen], points.mask[chosen], scores[chosen])
                among = Encoded(points.x[left], points.mask[left])
                suggestion = guard.suggest(history, rng=np.random.default_rng(seed), among=among)
                assert suggestion.row is not None
                chosen.append(left.pop(suggestion.row))
            found[name].append(_after(1 - np.maximum.accumulate(worth[chosen])))
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def _random(worth: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Regret of a random order, averaged over many."""
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(worth)[: max(OPTIONS.trials)] for _ in range(OPTIONS.random_orders)])
    return _after(1 - np.maximum.accumulate(orders, axis=1).mean(axis=0))


def _after(regret: NDArray[np.float64]) -> NDArray[np.float64]:  # (m,) -> (trials in `OPTIONS`,)
    """Regret after the numbers of trials in `OPTIONS`; after the last one where there are fewer."""
    return np.array([regret[min(t, len(regret)) - 1] for t in OPTIONS.trials])
