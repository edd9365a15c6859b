"""Past studies in the space as it is now.

The space is learned from the trials. When it changes (a parameter added, dropped, renamed, a range widened, a category
added or gone), past results count where they still can, and what was done is said. `adapt` does that once;
`FollowedPast` does it again whenever the study at hand shows something new of its space.

Law: a past configuration is never given a value that it did not have: what it lacks stays missing.

Letters:  t past studies · m configurations.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.space import Condition, Config, Parameter, SearchSpace, config_key
from autometa.space.values import plain, plain_distribution, plain_params
from autometa.store import PastTasks, PastTrials, TaskRecord
from autometa.studies.conditions import Conditions
from autometa.studies.distributions import (
    Distributions,
    fit_value,
    in_words,
    middle,
    read_distribution,
    spanned,
    united,
)
from autometa.studies.keeping import ENDED, About, former_fingerprint, own_fingerprint
from autometa.studies.options import OPTIONS
from autometa.transfer.past_studies import PastStudies
from autometa.transfer.selection import evenly


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedPast:
    """Past studies in the space as it is now.

    See Also:
        `adapt`.

    Example:
        >>> from optuna.distributions import FloatDistribution
        >>> from autometa.store import TaskRecord
        >>> record, tried = TaskRecord("f0", "march", "study", "value", 0, 0, 0), ({"x": 0.1}, {"x": 0.9})
        >>> past = PastTasks((record,), tried, np.array([[1.0, 3.0]]), np.ones((1, 2)), np.zeros((1, 0)), ())
        >>> adapt(past, distributions={"x": FloatDistribution(0.0, 1.0)}).space["x"].distribution.high
        1.0
    """

    past: PastTasks  # configurations hold what the space knows of them; a parameter they never had is missing
    space: SearchSpace | None  # None when nothing is known yet; its categories are `plain`
    asked: Distributions  # as studies ask for its parameters: categories of any type
    notes: tuple[str, ...]  # what was done to past configurations, for people


def adapt(
    past: PastTasks,
    *,
    renamed: Mapping[str, str] | None = None,
    distributions: Distributions | None = None,
    configs: Sequence[Config] = (),
) -> AdaptedPast:
    """Puts past studies into the space of today.

    Args:
        past: As the store holds them, in the metric `VALUE`.
        renamed: Old name of a parameter -> its new one.
        distributions: Of the study at hand, as far as its trials show them; they prevail over what was before.
        configs: What the study at hand has tried: an active parameter that none of them has was dropped.

    See Also:
        `AdaptedPast`.

    Example:
        >>> from optuna.distributions import FloatDistribution
        >>> records = (TaskRecord("f0", "march", "study", "value", 0, 0, 0),)
        >>> tried = ({"x": 0.1}, {"x": 0.9})
        >>> past = PastTasks(records, tried, np.array([[1.0, 3.0]]), np.ones((1, 2)), np.zeros((1, 0)), ())
        >>> adapted = adapt(past, distributions={"x": FloatDistribution(0.0, 0.5)}, configs=[{"x": 0.2}])
        >>> adapted.past.configs, adapted.notes
        (({'x': 0.1}, {'x': 0.5}), ("'x' is now from 0.0 to 0.5, before from 0.1 to 0.9.",))
    """
    renamed, tried = renamed or {}, list(configs)
    known = _known(past.records, renamed)
    asked: dict[str, BaseDistribution] = {}
    for _, found in known:
        asked.update(found)
    before = {name: plain_distribution(distribution) for name, distribution in asked.items()}
    old = [_renamed(config, renamed, before) for config in past.configs]
    # Imported without their distributions; in the order in which they are met, or a seed would not repeat a search.
    for name in dict.fromkeys(name for config in old for name in config if name not in before):
        asked[name] = before[name] = spanned([config[name] for config in old if name in config])
    asked |= dict(distributions or {})
    now = before | {name: plain_distribution(distribution) for name, distribution in (distributions or {}).items()}
    if not now:
        return AdaptedPast(past, None, {}, ())

    shown = list(past.examples) if isinstance(past, PastStudies) else []
    examples = [_renamed(config, renamed, before) for config, _ in shown]
    knew = _who_knew(past, known, now)
    had = [{renamed.get(other, other) for other in names} for _, names in shown]
    for name, own in knew.items():
        knew[name] = np.concatenate([own, np.array([name in names for names in had], dtype=bool)])
    conditions = Conditions(now, [*old, *examples], knew, tried)
    active = {name: conditions.of(name) for name in now}
    dropped = {name for name in now if name not in (distributions or {}) and active[name].dropped}
    names = [name for name in now if name not in dropped]
    notes = _changes(before, now, dropped, old)
    kept, columns, lost = [], [], 0
    for column, config in enumerate(old):
        fitted = _fitted({name: value for name, value in config.items() if name in names}, now)
        if fitted:
            kept.append(fitted)
            columns.append(column)
        else:
            lost += 1
    if lost:
        notes.append(f"{lost} past configurations cannot be had in the space of today and are left out.")
    scores = past.scores[:, columns]
    best = _best(kept, scores)
    space = _space(names, now, {name: active[name].when for name in names}, best)
    return AdaptedPast(past.columns(columns, kept), space, {name: asked[name] for name in names}, tuple(notes))


class ShownSpace:
    """What the trials of one study show of its space: distributions, and which parameters occur together.

    See Also:
        `FollowedPast`.

    Example:
        >>> import optuna
        >>> line = {"x": optuna.distributions.FloatDistribution(0, 1)}
        >>> trial = optuna.create_trial(value=1.0, params={"x": 0.5}, distributions=line)
        >>> shown = ShownSpace()
        >>> len(shown.ended([trial])), shown.ended([trial])  # the second time nothing is new
        (1, None)
    """

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._looked: set[int] = set()  # numbers of the trials that ended: each is looked at once
        self._known: set[object] = set()

    def ended(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial] | None:
        """All trials that ended, where one of them shows what none before did; else None."""
        ended = [trial for trial in trials if trial.state in ENDED and trial.params]
        new = [trial for trial in ended if trial.number not in self._looked]
        self._looked.update(trial.number for trial in new)
        shown: set[object] = {(name, repr(d)) for trial in new for name, d in trial.distributions.items()}
        shown |= {frozenset(trial.params) for trial in new}
        if shown <= self._known:
            return None
        self._known |= shown
        return ended


class FollowedPast:
    """Past studies that are adapted again whenever the trials of the study at hand show something new of its space.

    It follows one study. What that has itself put into the store is left out: a result must not count twice.

    Args:
        past: As the store holds them, in the metric `VALUE`.
        renamed: Old name of a parameter -> its new one.
        space_name: The name under which the store keeps the studies.
        about: What the study is about.

    See Also:
        `adapt`, `ShownSpace`.

    Example:
        >>> from autometa.store import TaskRecord
        >>> record, tried = TaskRecord("f0", "march", "study", "value", 0, 0, 0), ({"x": 0.1}, {"x": 0.9})
        >>> past = PastTasks((record,), tried, np.array([[1.0, 3.0]]), np.ones((1, 2)), np.zeros((1, 0)), ())
        >>> FollowedPast(past, space_name="trees").first().past.configs == tried
        True
    """

    def __init__(
        self,
        past: PastTasks,
        *,
        renamed: Mapping[str, str] | None = None,
        space_name: str = "",
        about: About | None = None,
    ) -> None:
        """Nothing is adapted yet."""
        self._past, self._renamed = past, dict(renamed or {})
        self._space_name, self._about = space_name, about
        self._shown = ShownSpace()

    def first(self) -> AdaptedPast:
        """The past before the study has shown anything."""
        return adapt(self._past, renamed=self._renamed)

    def follow(self, study: Study, trials: Iterable[FrozenTrial]) -> AdaptedPast | None:
        """The past in the space that the study's trials show; None where they show nothing new."""
        ended = self._shown.ended(trials)
        if ended is None:
            return None
        configs = [plain_params(trial.params, trial.distributions) for trial in ended]
        own = {tell(study, self._space_name, self._about) for tell in (own_fingerprint, former_fingerprint)}
        return adapt(
            without_own(self._past, own, configs),
            renamed=self._renamed,
            distributions={name: d for trial in ended for name, d in trial.distributions.items()},
            # One that failed may have failed before it asked for everything.
            configs=[c for c, trial in zip(configs, ended, strict=True) if trial.state != TrialState.FAIL],
        )


class Spanned(NamedTuple):
    """What past studies span."""

    space: SearchSpace | None  # with the widest ranges and all categories; None where nothing is known of any
    configs: list[Config]  # all of their configurations, in the names of today
    examples: list[tuple[Config, tuple[str, ...]]]  # some of them, and the parameters that their study had


def spanning(trials: PastTrials, renamed: Mapping[str, str], most: int) -> Spanned:
    """The space that holds what all past studies searched, and all their configurations in it.

    Args:
        trials: Of the past studies.
        renamed: Old name of a parameter -> its new one.
        most: Configurations from which conditions are learned.
    """
    known = _known(trials.records, renamed)
    joined: dict[str, BaseDistribution] = {}
    for _, found in known:
        for name, distribution in found.items():
            plain_one = plain_distribution(distribution)
            joined[name] = united(joined[name], plain_one) if name in joined else plain_one
    configs = [_renamed(config, renamed, joined) for config in trials.configs]
    for name in dict.fromkeys(name for config in configs for name in config if name not in joined):
        joined[name] = spanned([config[name] for config in configs if name in config])
    if not joined:
        return Spanned(None, configs, [])
    kept = {row for row, _ in known}
    knew = {name: np.zeros(len(configs), dtype=bool) for name in joined}
    for row, found in [*known, *((row, joined) for row in range(len(trials.records)) if row not in kept)]:
        own, scores, _ = trials.tried[row]
        for name in found:
            knew[name][own[np.isfinite(scores)]] = True
    some = evenly(len(configs), most)
    conditions = Conditions(joined, [configs[i] for i in some], {n: knew[n][some] for n in joined}, [])
    space = _space(list(joined), joined, {name: conditions.of(name).when for name in joined}, {})
    return Spanned(space, configs, [(configs[i], tuple(n for n in joined if knew[n][i])) for i in some])


def _known(records: Sequence[TaskRecord], renamed: Mapping[str, str]) -> list[tuple[int, dict[str, BaseDistribution]]]:
    """Which past studies kept their distributions, and those, the oldest first."""
    out: list[tuple[int, dict[str, BaseDistribution]]] = []
    read: dict[str, dict[str, BaseDistribution]] = {}  # most studies of a space have the same
    for row in sorted(range(len(records)), key=lambda row: records[row].created):
        if text := records[row].distributions:
            if text not in read:
                kept = json.loads(text)
                read[text] = {renamed.get(name, name): read_distribution(one) for name, one in kept.items()}
            out.append((row, read[text]))
    return out


def _renamed(config: Config, renamed: Mapping[str, str], known: Distributions) -> Config:
    """A past configuration in the names of today, its categories as they are written today."""
    out = {}
    for name, value in config.items():
        name = renamed.get(name, name)
        if type(value) in (float, int) and not _is_choice(known.get(name)):  # as nearly all are
            out[name] = value
            continue
        fits, choice = fit_value(value, known[name]) if _is_choice(known.get(name)) else (False, None)
        out[name] = choice if fits else plain(value)
    return out


def today(config: Config, space: SearchSpace, renamed: Mapping[str, str]) -> Config | None:
    """A past configuration as one of a space, its numbers clipped and what it lacks at its default; None if it cannot.

    Example:
        >>> from autometa.space import choice, real
        >>> space = SearchSpace.of(kind=choice("a", "b"), x=real(0.0, 1.0, 0.5))
        >>> today({"kind": "a", "z": 3.0}, space, {"z": "x"}), today({"kind": "c"}, space, {})
        ({'kind': 'a', 'x': 1.0}, None)
    """
    known = {p.name: p.distribution for p in space}
    own = {name: value for name, value in _renamed(config, renamed, known).items() if name in known}
    fitted = _fitted(own, known)
    return None if fitted is None else space.clip(fitted)[0]


def _is_choice(distribution: BaseDistribution | None) -> bool:
    return isinstance(distribution, CategoricalDistribution)


def _who_knew(
    past: PastTasks, known: Sequence[tuple[int, Distributions]], names: Iterable[str]
) -> dict[str, NDArray[np.bool_]]:
    """Of each parameter which past configurations, (m,), are of studies that had it in their space."""
    tried = np.isfinite(past.scores)  # (t, m) what failed may have failed before it asked for everything
    kept = {row for row, _ in known}
    unknown = [row for row in range(len(past.records)) if row not in kept]  # of these studies nobody knows
    by_name: dict[str, list[int]] = {name: list(unknown) for name in names}
    for row, found in known:
        for name in found:
            by_name[name].append(row)
    return {name: np.asarray(tried[rows].any(axis=0)) for name, rows in by_name.items()}


def _changes(before: Distributions, now: Distributions, dropped: set[str], configs: Sequence[Config]) -> list[str]:
    """What is different about the space, parameter by parameter."""
    notes = []
    for name in sorted(dropped):
        count = sum(name in config for config in configs)
        notes.append(f"{name!r} is not searched any more: left out of {count} past configurations.")
    if not configs:
        return notes
    for name, distribution in now.items():
        if name not in before:
            notes.append(f"{name!r} is new: past configurations count without it.")
        elif distribution != before[name]:
            notes.append(f"{name!r} is now {in_words(distribution)}, before {in_words(before[name])}.")
    return notes


def _fitted(config: Config, distributions: Distributions) -> Config | None:
    """A past configuration with its numbers clipped into today's ranges; None where a category is gone."""
    out = {}
    for name, value in config.items():
        fits, fitted = fit_value(value, distributions[name])
        if not fits:
            return None
        out[name] = fitted
    return out


def _best(configs: Sequence[Config], scores: NDArray[np.float64]) -> Config:
    """The configuration with the best mean rank over the studies that tried it."""
    if not configs:
        return {}
    finite = np.where(np.isfinite(scores), scores, np.nan)
    ranks = np.full(finite.shape, np.nan)
    for row, scored in enumerate(finite):
        known = np.flatnonzero(~np.isnan(scored))
        ranks[row, known] = (np.argsort(np.argsort(scored[known])) + 1.0) / (len(known) + 1)
    added = OPTIONS.average_results  # of rank 1/2
    mean = (np.nansum(ranks, axis=0) + 0.5 * added) / (np.sum(~np.isnan(ranks), axis=0) + added)
    return configs[int(np.argmax(mean))]


def _space(
    names: Sequence[str], distributions: Distributions, conditions: Mapping[str, Condition | None], best: Config
) -> SearchSpace:
    """Parents before their children; each default is that of the best past configuration, else the middle."""
    placed: dict[str, Parameter] = {}
    waiting = list(names)
    while waiting:
        ready = [n for n in waiting if (when := conditions[n]) is None or when.name in placed] or waiting[:1]
        for name in ready:
            when = conditions[name]
            when = when if when is not None and when.name in placed else None
            distribution = distributions[name]
            fits, default = fit_value(best[name], distribution) if name in best else (False, None)
            placed[name] = Parameter(name, distribution, default if fits else middle(distribution), when)
        waiting = [name for name in waiting if name not in placed]
    return SearchSpace(list(placed.values()))


def without_own(past: PastTasks, fingerprints: Collection[str], configs: Iterable[Config]) -> PastTasks:
    """`past` without what the study at hand has put there itself: a result must not count twice.

    Example:
        >>> from autometa.store import TaskRecord
        >>> record, tried = TaskRecord("f0", "march", "study", "value", 0, 0, 0), ({"x": 0.1}, {"x": 0.9})
        >>> past = PastTasks((record,), tried, np.array([[1.0, 3.0]]), np.ones((1, 2)), np.zeros((1, 0)), ())
        >>> without_own(past, {"f0"}, [{"x": 0.9}]).scores
        array([[ 1., nan]])
    """
    own = {config_key(config) for config in configs}
    rows = [row for row, record in enumerate(past.records) if record.fingerprint in fingerprints]
    columns = [column for column, config in enumerate(past.configs) if config_key(config) in own]
    if isinstance(past, PastStudies):
        return past.without(rows)
    if not rows or not columns:
        return past
    scores = past.scores.copy()
    scores[np.ix_(rows, columns)] = np.nan
    return replace(past, scores=scores)
