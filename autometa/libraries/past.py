"""The shipped evaluations of one family as the past of a study that tunes a library's own parameters.

Before the study has shown anything, the past is in the catalogue's words; each value is put into the library's when the
objective asks for it by name (`handed`). Once a trial has ended, its names and distributions are known: the past is
translated into them and adapted as anybody's own studies are, so that what recommends and what searches are the same.

Laws: a value out of the objective's range is taken at its edge, a configuration that the objective cannot have is left
out, and both are said; a parameter that the objective does not ask for is left out; of two configurations that the
objective cannot tell apart, the one counts that is otherwise nearer to the library's defaults.

Letters:  t past tasks · m configurations.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from autometa.families import FAMILIES, makes_features
from autometa.libraries.vocabulary import LIBRARIES, Library
from autometa.libraries.words import UNKNOWN, Equivalents, NewTable, Word, same, taken
from autometa.origins import CONFIG, GIVEN
from autometa.space import FAMILY, Config, SearchSpace, config_key, split_family
from autometa.space.values import plain, plain_params
from autometa.store import PastTasks
from autometa.studies import AdaptedPast, ShownSpace, adapt
from autometa.studies.distributions import in_words

_log = optuna.logging.get_logger("optuna.autometa")
STOPS = "early_stop"  # of the boosting families: whether the rounds of a configuration are only the most there may be
SEPARATORS = ("__", ".", ":")  # before which a pipeline puts the name of its step


class Glossary:
    """Which word of a library the name of an objective's parameter stands for.

    Args:
        library: Whose words.
        renamed: The library's name of a parameter -> the objective's own.

    See Also:
        `Word`, `Library`.

    Example:
        >>> glossary = Glossary(LIBRARIES["xgboost"], {"gamma": "least_gain"})
        >>> [glossary.find(name).names[0] for name in ("eta", "xgb_eta", "model__lambda", "least_gain")]
        ['learning_rate', 'learning_rate', 'reg_lambda', 'gamma']
        >>> glossary.find("n_layers") is None
        True
    """

    def __init__(self, library: Library, renamed: Mapping[str, str] | None = None) -> None:
        """Lists all names once."""
        self.prefixes = tuple(f"{prefix}_" for prefix in library.prefixes)  # in lower case
        self.own = {new: old for old, new in (renamed or {}).items()}
        self.words = {name: word for word in library.words for name in word.names}
        self.folded = {name.casefold(): word for name, word in self.words.items()}

    def find(self, name: str) -> Word | None:
        """The word, whatever step, library or layer the name begins or ends with; None for no word of the library."""
        name = self.own.get(name, name)
        for separator in SEPARATORS:
            name = name.rpartition(separator)[2] if name not in self.words else name
        shorter = (name[len(prefix) :] for prefix in self.prefixes if name.casefold().startswith(prefix))
        for known in (name, *shorter):
            counted = "".join("#" if c.isdigit() else c for c in known).replace("##", "#")
            for spelling in (known, counted):
                if (word := self.words.get(spelling) or self.folded.get(spelling.casefold())) is not None:
                    return word
        return None


@dataclass(slots=True)
class Translated:
    """Past configurations in the objective's names, and what became of the others."""

    configs: list[Config] = field(default_factory=list)
    columns: list[list[int]] = field(default_factory=list)  # of each, those it came from; the nearest to defaults first
    clipped: Counter[str] = field(default_factory=Counter)  # by name
    said: Counter[str] = field(default_factory=Counter)  # by name: configurations that say something of it
    stopped: int = 0  # left out: how many rounds they had is not known
    lost: int = 0  # left out: the objective cannot have them


class LibraryPast:
    """The past of one library, put into the words of the study at hand as far as its trials show them.

    Args:
        library: Whose words.
        past: Evaluations of its families, in the catalogue's words; others are left out.
        table: What is known of the study's table.
        renamed: The library's name of a parameter -> the objective's own.

    See Also:
        `read_library`.

    Example:
        >>> from autometa.store import TaskRecord
        >>> config = {"family": "knn", "knn.n_neighbors": 5}
        >>> record = TaskRecord("5eed" * 8, "bank", "regression", "r2", 45211, 16, 0)
        >>> one = PastTasks((record,), (config,), np.array([[0.8]]), np.ones((1, 1)), np.zeros((1, 0)), ())
        >>> past = LibraryPast(LIBRARIES["knn"], one, NewTable("regression"))
        >>> range_asked_for = optuna.distributions.IntDistribution(1, 3)
        >>> past.handed(config, "n_neighbors", range_asked_for), past.handed(config, "n_layers", range_asked_for)
        ((True, 3), (False, None))
    """

    def __init__(
        self, library: Library, past: PastTasks, table: NewTable, *, renamed: Mapping[str, str] | None = None
    ) -> None:
        """Keeps the family's configurations; nothing is translated yet."""
        self.library, self.table, self._renamed = library, table, dict(renamed or {})
        mine = [i for i, config in enumerate(past.configs) if config.get(FAMILY) in library.families]
        mine = [i for i in mine if not makes_features(past.configs[i])]  # which the library alone does not
        mine = [i for i in mine if library.holds(split_family(past.configs[i])[1])]
        self.past = _columns(past, [past.configs[i] for i in mine], [[i] for i in mine])
        self._shown, self._wanted = ShownSpace(), dict[str, BaseDistribution]()
        self._space: SearchSpace | None = None  # in the objective's words

    def __getstate__(self) -> dict[str, Any]:
        """The library by its name: its words are functions."""
        return self.__dict__ | {"library": self.library.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With the words of the library of that name."""
        self.__dict__.update(state | {"library": LIBRARIES[state["library"]]})

    @property
    def glossary(self) -> Glossary:
        """Which word a name stands for."""
        return Glossary(self.library, self._renamed)

    def first(self) -> AdaptedPast:
        """The past in the catalogue's words, of configurations whose rounds are known; a study begins."""
        self._shown, self._wanted, self._space = ShownSpace(), {}, None
        known = [i for i, config in enumerate(self.past.configs) if split_family(config)[1].get(STOPS) is not True]
        past = _columns(self.past, [self.past.configs[i] for i in known], [[i] for i in known])
        families = [name for name in self.library.families if any(c[FAMILY] == name for c in past.configs)]
        space = SearchSpace.cash({name: self._space_of(name) for name in families})
        return AdaptedPast(past, space, {}, (self._counted(len(past.configs)),))

    def follow(self, study: Study, trials: Iterable[FrozenTrial]) -> AdaptedPast | None:
        """The past in the space that the study's trials show; None where they show nothing new."""
        ended = self._shown.ended(trials)
        if ended is None:
            return None
        self._wanted = shown = {name: d for trial in ended for name, d in trial.distributions.items()}
        found = self._translate(self.past.configs, shown)
        past = _columns(self.past, found.configs, found.columns)
        tried = [plain_params(t.params, t.distributions) for t in ended if t.state != TrialState.FAIL]
        adapted = adapt(past, distributions=shown, configs=tried)
        self._space = adapted.space
        return replace(adapted, notes=self._notes(found, shown))

    def handed(
        self, config: Config, name: str, distribution: BaseDistribution, given: Mapping[str, Any] | None = None
    ) -> tuple[bool, Any]:
        """Whether a parameter of the objective can have what a configuration in the catalogue's words says; the value.

        Args:
            config: In the catalogue's words.
            name: Of the parameter.
            distribution: That the objective asks for.
            given: The trial's parameters so far: the learning rate makes up for rounds that it could not have, and the
                rounds for a learning rate.
        """
        word = self.glossary.find(name)
        meant = () if word is None else self._meant(word, config)
        if word is not None and meant and word.names[0] in self.library.shrinkage:
            others = {other.names[0]: value for n, value in (given or {}).items() if (other := self.glossary.find(n))}
            rounds, rate = self.library.shrinkage
            partner = rate if word.names[0] == rounds else rounds
            if partner in others and math.isfinite(product := self._product(config)):
                meant = same(product / others[partner])
        found = taken(meant, distribution)
        if found is None:
            return False, None
        if not found.exact:
            said = "no bound" if meant[0] == math.inf else meant[0]
            _log.info(f"{name!r} is {in_words(distribution)}: {said} is taken as {found.value}.")
        return True, found.value

    def is_foreign(self, config: Config) -> bool:
        """Whether a configuration is in the catalogue's words."""
        family = config.get(FAMILY)
        return family in self.library.families and all(n == FAMILY or n.startswith(f"{family}.") for n in config)

    def in_words(self, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        """The trials, those that were given a configuration in the catalogue's words as if it had been in today's."""
        return [self._reworded(trial) for trial in trials]

    def canonical(self, config: Config) -> Config:
        """A configuration of the catalogue in the library's most usual names, out of no range.

        What the family leaves at the library's default is not named, nor what cannot be said without the table.
        """
        if not self.is_foreign(config):
            return config
        out = {}
        for word in self.library.words:
            meant = self._meant(word, config) if word.meaning.parameters else ()
            if meant and not word.names[0].endswith("#"):
                out[word.names[0]] = plain(meant[0])
        return out

    def _reworded(self, trial: FrozenTrial) -> FrozenTrial:
        """A copy of a trial that was given a configuration in the catalogue's words, which is in the space of today."""
        space = self._space
        noted = [name for name in (CONFIG, GIVEN) if self.is_foreign(trial.user_attrs.get(name, {}))]
        if space is None or not noted:
            return trial
        changed = copy.copy(trial)
        found = self._translate([trial.user_attrs[noted[0]]], self._wanted).configs
        changed.user_attrs = trial.user_attrs | {noted[0]: space.clip(found[0] if found else {})[0]}
        return changed

    def _meant(self, word: Word, config: Config) -> Equivalents:
        """What a configuration of the catalogue says of a word."""
        family, own = split_family(config)
        meaning = self.library.meaning(word, family)
        return () if meaning is None else meaning.of(own, self.table)

    def _product(self, config: Config) -> float:
        """Rounds times learning rate of a configuration: what shrunken steps amount to in all."""
        by_name = {word.names[0]: word for word in self.library.words}
        meant = [self._meant(by_name[name], config) for name in self.library.shrinkage]
        return math.prod(found[0] if found else math.nan for found in meant)

    def _made_up_for(
        self, put: Config, config: Config, words: Mapping[str, Word], shown: Mapping[str, BaseDistribution]
    ) -> Config:
        """Rounds and learning rate with the product that they had, as far as their ranges allow."""
        named = {word.names[0]: name for name, word in words.items() if name in put}
        if not self.library.shrinkage or not set(self.library.shrinkage) <= named.keys():
            return put
        rounds, rate = (named[name] for name in self.library.shrinkage)
        product = self._product(config)
        for name, other in ((rate, rounds), (rounds, rate)):
            if (found := taken(same(product / put[other]), shown[name])) is not None:
                put[name] = plain(found.value)
        return put

    def _space_of(self, family: str) -> SearchSpace:
        return FAMILIES[family].space(self.table.kind)  # type: ignore[arg-type]

    def _translate(self, configs: Sequence[Config], shown: Mapping[str, BaseDistribution]) -> Translated:
        """Configurations in the names and ranges that the objective asks for, each once."""
        words = {name: word for name in shown if (word := self.glossary.find(name)) is not None}
        asked = {family: self._asked(words.values(), family) for family in self.library.families}
        usual = {family: self._space_of(family).default for family in self.library.families}
        out, merged = Translated(), dict[str, tuple[Config, list[tuple[int, int, int]]]]()
        for column, config in enumerate(configs):
            family, own = split_family(config)
            if own.get(STOPS) is True and FAMILIES[family].grows_by in asked[family] and STOPS not in asked[family]:
                out.stopped += 1
            elif put := self._put(config, words, shown, out):
                unlike = sum(own[name] != usual[family].get(name) for name in own if name not in asked[family])
                place = self.library.families.index(family), unlike, column
                merged.setdefault(config_key(put), (put, []))[1].append(place)
            else:
                out.lost += 1
        for put, places in merged.values():
            out.configs.append(put)
            out.columns.append([column for *_, column in sorted(places)])
        return out

    def _asked(self, words: Iterable[Word], family: str) -> set[str]:
        """The parameters of a family of which some words say all."""
        meanings = (self.library.meaning(word, family) for word in words)
        return {parameter for meaning in meanings if meaning is not None for parameter in meaning.parameters}

    def _put(
        self, config: Config, words: Mapping[str, Word], shown: Mapping[str, BaseDistribution], out: Translated
    ) -> Config | None:
        """One configuration in the objective's names; None where the objective cannot have it."""
        put, clipped = {}, []
        for name, word in words.items():
            if not (meant := self._meant(word, config)):
                continue
            if (found := taken(meant, shown[name])) is None:
                if any(value is UNKNOWN for value in meant):
                    continue
                return None
            put[name] = plain(found.value)
            clipped += [] if found.exact else [name]
        out.said.update(put.keys())
        out.clipped.update(clipped)
        return self._made_up_for(put, config, words, shown)

    def _counted(self, m: int) -> str:
        others = " and ".join(FAMILIES[name].label for name in self.library.families[1:])
        beside = f", those of {others} among them" if others else ""
        return f"{self.library.label}: {m} configurations on {len(self.past)} tables that ship with AutoMeta{beside}."

    def _notes(self, found: Translated, shown: Mapping[str, BaseDistribution]) -> tuple[str, ...]:
        """What was done to past configurations, for people."""
        label = self.library.label
        notes = [self._counted(len(found.configs))]
        unknown = [name for name in shown if self.glossary.find(name) is None]
        untold = [name for name in shown if name not in unknown and not found.said[name]]
        if unknown:
            notes.append(f"{_listed(unknown)}: no word of {label} that the memory knows, left to the search.")
        if untold:
            why = "not known without the table (pass task=(X, y))" if self.table.columns is None else "nothing is known"
            notes.append(f"{_listed(untold)}: {why}, left to the search.")
        for name, count in found.clipped.items():
            where = in_words(shown[name])
            notes.append(
                f"{name!r} is {where}: {count} of {found.said[name]} past values are taken as the nearest of it."
            )
        words = [word for name in shown if (word := self.glossary.find(name)) is not None]
        asked = self._asked(words, self.library.families[0])
        unasked: dict[tuple[str, ...], str] = {}  # parameters of the family -> the library's word for them
        for word in self.library.words:
            if word.meaning.parameters and asked.isdisjoint(word.meaning.parameters):
                unasked.setdefault(word.meaning.parameters, word.names[0])
        if unasked:
            notes.append(
                f"{_listed(list(unasked.values()))}: not asked for by the objective, left out of past configurations."
            )
        if found.stopped:
            rounds = "how many rounds they had is not known"
            notes.append(f"{found.stopped} past configurations stopped early and are left out: {rounds}.")
        if found.lost:
            notes.append(f"{found.lost} past configurations cannot be had in the objective's ranges and are left out.")
        return tuple(notes)


def _columns(past: PastTasks, configs: Sequence[Config], columns: Sequence[Sequence[int]]) -> PastTasks:
    """Some configurations under new names; of the columns that became one, the first that a task knows counts."""
    shape = len(past), len(configs)
    scores, seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    for to, origins in enumerate(columns):
        for origin in origins:
            hole = np.isnan(scores[:, to])
            scores[hole, to] = past.scores[hole, origin]
            seconds[hole, to] = past.seconds[hole, origin]
    kept = np.flatnonzero(np.isfinite(scores).any(axis=1))  # a task on which nothing is known tells nothing
    return replace(
        past,
        records=tuple(past.records[i] for i in kept),
        configs=tuple(dict(config) for config in configs),
        scores=scores[kept],
        seconds=seconds[kept],
        metafeatures=past.metafeatures[kept],
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
