"""What a search was asked to do, and how it reports while it does it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from autometa.errors import InputError, Problem
from autometa.evaluation.decision import AUTO, read_threshold
from autometa.families import FamilyOrigin
from autometa.origins import Origin
from autometa.passwords import without_password
from autometa.search.options import OPTIONS
from autometa.store import Exclusion

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation
    from autometa.space import Config
    from autometa.task import Task
    from autometa.transfer import Recommendation

LEAST_RAM = OPTIONS.least_ram  # bytes; copies of `integrations/automlbenchmark` ask for it by this name


OFF = "off"
Patience = float | str  # seconds without a better trial, AUTO or OFF


def read_patience(patience: Patience) -> Patience:
    """A patience as it is kept.

    Raises:
        InputError: It is neither auto, off, nor a number of seconds above 0.

    Example:
        >>> read_patience("auto"), read_patience(30)
        ('auto', 30.0)
    """
    if patience in (AUTO, OFF):
        return patience
    if isinstance(patience, (int, float)) and not isinstance(patience, bool) and 0 < patience < math.inf:
        return float(patience)
    raise InputError(
        Problem("patience", f"{patience!r} is neither auto, off, nor a time above 0", "Leave it out for auto.")
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `fit` can be told about the search. Kept as JSON in the run folder, so that a run can be resumed.

    Args:
        seconds: Time budget for everything, in seconds; None for none.
        trials: How many configurations to evaluate; None for as many as the time allows.
        jobs: Trials at once. None takes one per CPU under a time budget, and one under a trial budget, which then
            repeats exactly under its seed.
        families: Names of model families to search; None for all that suit the table.
        store: URL or path of the metadata store; None for the user's own. Its password is kept nowhere: a resumed run
            finds it in the environment or in ``~/.pgpass``.
        cold: Search without memory: no store is read, no recommendation made.
        remember: Add the finished task to the store.
        seed: Seeds splits, models and sampler.
        max_ram: Bytes that all processes of the search may hold together; None gives trials a share of what is free.
        patience: Seconds without a better trial after which the search ends; "auto": where nothing better is expected
            of the rest of a time budget; "off": never.
        trial_seconds: Longest that one trial may take, in seconds.
        space: Parameters of families that are fixed or have other ranges (`autometa.space.narrowing.narrowed`).
        folds: Of the cross-validation that judges every trial; 1 is a hold-out; None for what suits the table.
        members: Pipelines that may answer together, at most; 1 is one pipeline, fitted once on all rows; None for as
            many as help.
        device: ``auto``, ``cpu`` or ``cuda``.
        exclude: Past tasks that must not be learned from.
        threshold: Of two classes, the probability from which a row counts as positive; ``auto`` chooses it out of fold
            where the metric judges labels.
        infer_limit: Seconds that answering a row may take, as the folds of a trial measure it: trials that take longer
            do not answer, nor do more of them than the limit allows together.
        exportable: Search only families whose pipelines become ONNX (`autometa.export`).
        own_families: Families of this search alone, which it tries beside `families` (`autometa.adapting.keep`).

    Raises:
        InputError: Every impossible value, in one error.

    See Also:
        `search`, `SearchPlan`.

    Example:
        >>> Settings().seconds, Settings(trials=20).seconds
        (60.0, None)
        >>> Settings.from_dict(Settings(trials=20, families=("knn",)).to_dict()).families
        ('knn',)
    """

    seconds: float | None = None
    trials: int | None = None
    jobs: int | None = None
    families: tuple[str, ...] | None = None
    store: str | None = field(default=None, repr=False)  # it may hold a password
    cold: bool = False
    remember: bool = True
    seed: int = 0
    max_ram: int | None = None
    trial_seconds: float | None = None
    device: str = "auto"
    exclude: Exclusion = field(default_factory=Exclusion)
    threshold: float | str = AUTO
    patience: Patience = AUTO
    space: Mapping[str, Any] = field(default_factory=dict)
    folds: int | None = None
    members: int | None = None
    exportable: bool = False
    infer_limit: float | None = None
    own_families: tuple[FamilyOrigin, ...] = ()

    def __post_init__(self) -> None:
        """Reports every impossible value in one error; without any budget the time is 60 seconds."""
        problems = self.problems()
        if problems:
            raise InputError(problems)
        object.__setattr__(self, "threshold", read_threshold(self.threshold))
        object.__setattr__(self, "patience", read_patience(self.patience))
        if self.seconds is None and self.trials is None:
            object.__setattr__(self, "seconds", OPTIONS.default_seconds)

    @property
    def shown_store(self) -> str | None:
        """The store as it may be kept and shown: without a password."""
        return None if self.store is None else without_password(self.store)

    def problems(self) -> list[Problem]:
        """What cannot be done, each with its fix."""
        wrong = []
        for name, given, least in (
            ("time", self.seconds, "a number of seconds above 0"),
            ("trials", self.trials, "a number of at least 1"),
            ("jobs", self.jobs, "a number of at least 1"),
            ("max-ram", self.max_ram, "a size above 0, such as 2GB"),
            ("folds", self.folds, "a number of at least 1"),
            ("members", self.members, "a number of at least 1"),
            ("trial-time", self.trial_seconds, "a number of seconds above 0"),
            ("infer-limit", self.infer_limit, "a time above 0, such as 1ms"),
        ):
            if given is not None and not given > 0:
                wrong.append(Problem(name, f"{given} is not {least}", "Leave it out for the default."))
        needed = OPTIONS.parent_ram + OPTIONS.least_ram
        if self.max_ram is not None and 0 < self.max_ram < needed:
            what = f"{self.max_ram / 1e6:.0f} MB is less than the libraries of a search and one trial take"
            wrong.append(Problem("max-ram", what, f"Allow {needed / 1e9:g} GB or more."))
        for read, value in ((read_threshold, self.threshold), (read_patience, self.patience)):
            try:
                read(value)
            except InputError as error:
                wrong += error.problems
        if self.device not in ("auto", "cpu", "cuda"):
            wrong.append(Problem("device", f"{self.device!r} is not known", "Choose auto, cpu or cuda."))
        return wrong

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, and without the password of the store."""
        out = asdict(self) | {"store": self.shown_store}
        out["exclude"] = {k: sorted(v) for k, v in out["exclude"].items()}
        return out

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """What `to_dict` wrote."""
        values = dict(values)
        values["families"] = None if values["families"] is None else tuple(values["families"])
        values["own_families"] = tuple(FamilyOrigin(*origin) for origin in values.get("own_families", ()))
        values["exclude"] = Exclusion(**{k: frozenset(v) for k, v in values["exclude"].items()})
        return cls(**values)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One finished trial of a run; times are seconds since the run began.

    See Also:
        `leaderboard`, `Result`.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> def row(number, score, state=State.COMPLETE):
        ...     scores = {"roc_auc": score} if state is State.COMPLETE else {}
        ...     done = Evaluation({"family": "knn"}, state, None, scores, {}, 0.5, 0.1, 0, 0, 90, {})
        ...     return TrialRow(number, done, "search", "", 0.0, 1.0)
        >>> row(0, 0.9).evaluation.scores, row(0, 0.9).proposed
        ({'roc_auc': 0.9}, False)
    """

    number: int
    evaluation: Evaluation
    origin: str
    reason: str
    started: float
    finished: float
    grown_from: tuple[int, int] | None = None  # number of the trial that it goes on from, and its own rows
    predicted: int = 0  # rows that its folds predicted; 0 where that is not known
    made_from: int | None = None  # number of the trial whose configuration it tries with made columns

    @property
    def row_seconds(self) -> float:
        """Seconds that predicting a row took, in the test sides of its folds; NaN where that is not known."""
        return self.evaluation.predict_seconds / self.predicted if self.predicted else math.nan

    @property
    def proposed(self) -> bool:
        """Whether past tasks proposed it before the search began."""
        origin = Origin.read(self.origin)
        return origin is not None and origin.proposed


class Progress(Protocol):
    """The one small interface through which a search reports; the command line draws it, tests record it.

    See Also:
        `Silent`.

    Example:
        >>> class Printing(Silent):
        ...     def note(self, text):
        ...         print("note:", text)
        >>> progress: Progress = Printing()
        >>> progress.note("column 'id' dropped")
        note: column 'id' dropped
    """

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins: reading, describing, searching, ensembling, refitting, remembering, explaining."""

    def started(self, task: Task, settings: Settings, recommendations: Sequence[Recommendation]) -> None:
        """The search is about to begin."""

    def trial_started(self, number: int, config: Config, origin: str, reason: str) -> None:
        """A trial begins."""

    def trial_finished(self, trial: TrialRow, incumbent: TrialRow | None, elapsed: float) -> None:
        """A trial ended; `elapsed` counts from the start of the run, in seconds."""

    def note(self, text: str) -> None:
        """Something the person should know."""


class Silent:
    """Progress that nobody watches: every method does nothing.

    See Also:
        `Progress`.

    Example:
        >>> Silent().note("nobody hears this")
    """

    def stage(self, name: str, detail: str = "") -> None:
        """Says nothing."""

    def started(self, task: Task, settings: Settings, recommendations: Sequence[Recommendation]) -> None:
        """Says nothing."""

    def trial_started(self, number: int, config: Config, origin: str, reason: str) -> None:
        """Says nothing."""

    def trial_finished(self, trial: TrialRow, incumbent: TrialRow | None, elapsed: float) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""
