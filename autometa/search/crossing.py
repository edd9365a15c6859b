"""When the best of a family is tried with columns made of its columns (`autometa.families.features`).

The linear model gains most and is cheap, so it is asked first, once a few trials have ended; other families where it
paid here, or on similar past tables (`autometa.transfer.made`). A family where it did not pay is not asked again; where
it did, each better configuration is, but not more often than every tenth trial.

Law: one at a time, and only where there is time for it; a search of few trials has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autometa.families import FEATURES
from autometa.families.features import ALL, makes_features
from autometa.origins import MADE_FROM, ORIGIN, REASON, Origin
from autometa.search.options import OPTIONS, SearchOptions
from autometa.search.result import leaderboard
from autometa.search.settings import TrialRow
from autometa.space import FAMILY, Config, SearchSpace
from autometa.transfer.made import Experience

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Crossing:
    """A trial whose configuration is to be tried with made columns, and why."""

    row: TrialRow
    config: Config
    reason: str

    @property
    def noted(self) -> dict[str, Any]:
        """What is noted of the trial."""
        return {ORIGIN: Origin.FEATURES.value, REASON: self.reason, MADE_FROM: self.row.number}


@dataclass(frozen=True, slots=True)
class Crossings:
    """What decides it.

    Example:
        >>> from autometa.families import cash_space
        >>> Crossings(cash_space("binary", ["knn"]), "roc_auc").next(
        ...     [], set(), rows=100, left=60.0, longest=15.0
        ... ) is None
        True
    """

    space: SearchSpace
    metric: str
    trials: int | None = None  # that the search may make in all; None for no limit
    known: Mapping[str, Experience] = field(default_factory=dict)  # family -> what past tables say
    options: SearchOptions = OPTIONS

    def enqueue(
        self, study: optuna.Study, trials: Sequence[TrialRow], rows: int, *, left: float, longest: float
    ) -> None:
        """Puts what is due next in the queue of a study."""
        known = (trial.user_attrs for trial in study.get_trials(deepcopy=False))
        begun = {noted[MADE_FROM] for noted in known if MADE_FROM in noted}
        due = self.next(trials, begun, rows, left=left, longest=longest)
        if due is not None:
            study.enqueue_trial(due.config, user_attrs=due.noted)

    def next(
        self, trials: Sequence[TrialRow], begun: Set[int], rows: int, *, left: float, longest: float
    ) -> Crossing | None:
        """The one that is due, if there is one.

        Args:
            trials: That have finished.
            begun: Numbers of the trials whose configurations were tried with made columns, or are being.
            rows: That a new configuration learns from.
            left: Seconds for more trials.
            longest: Seconds that one trial should take at most.
        """
        options, ranked = self.options, [r for r in leaderboard(trials, self.metric) if r.evaluation.rows == rows]
        ended = {row.made_from: row for row in trials if row.made_from is not None}
        most = 1 + len(trials) // options.made_every
        if len(ranked) < options.made_after or begun - ended.keys() or len(begun) >= most:
            return None
        if self.trials is not None and self.trials < options.made_trials:
            return None
        score = {row.number: row.evaluation.scores[self.metric] for row in ranked}
        paid = {row.evaluation.config[FAMILY] for base, row in ended.items() if self._paid(base, row, score)}
        asked = {row.evaluation.config[FAMILY] for row in ended.values()}
        for family in self._families(paid, asked):
            plain = [
                r for r in ranked if r.evaluation.config[FAMILY] == family and not makes_features(r.evaluation.config)
            ]
            if not plain or plain[0].number in begun:
                continue
            row, folds = plain[0], plain[0].evaluation.n_folds
            expected = options.made_longer * row.evaluation.seconds + folds * options.made_seconds
            if expected <= min(longest, options.made_share * left):
                return Crossing(row, row.evaluation.config | {f"{family}.{FEATURES}": ALL}, self._reason(row, family))
        return None

    def _paid(self, base: int, row: TrialRow, score: Mapping[int, float]) -> bool:
        return base in score and row.number in score and score[row.number] > score[base]

    def _families(self, paid: Set[str], asked: Set[str]) -> list[str]:
        """Those that may be asked, the first of all first."""
        able = [name for name in self.space.families if self._all(name)]
        said = [name for name in able if name in self.known and self.known[name].pays]
        vain = {name for name in able if name in self.known and self.known[name].in_vain}
        first = [name for name in able if name in self.options.made_first and name not in vain]
        others = [name for name in able if paid and name not in vain]
        return [name for name in dict.fromkeys([*said, *first, *others]) if name in paid or name not in asked]

    def _all(self, family: str) -> bool:
        """Whether all generators may be on in a family: it has them, and nobody said otherwise."""
        name = f"{family}.{FEATURES}"
        return name in self.space and ALL in self.space[name].distribution.choices  # type: ignore[attr-defined]

    def _reason(self, row: TrialRow, family: str) -> str:
        told = self.known.get(family)
        text = f"Trial {row.number} with columns made of others, as far as they tell more than chance."
        return f"{text} {told.sentence}" if told is not None and told.pays else text
