"""What is known of why a model answers as it does: figures of columns, never rows.

A `ModelExplanation` is kept as ``explanation.json`` in the folder of a run, with its checksum; it holds names of
columns, points of their ranges and the names of categories, and what the model makes of them on average.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FILE = "explanation.json"  # in the folder of a run
EXPLANATION_FORMAT = 1  # of that file


@dataclass(frozen=True, slots=True)
class Importance:
    """How much the score falls when the values of one column are shuffled.

    See Also:
        `ModelExplanation`.

    Example:
        >>> Importance("age", drop=0.031, low=0.02, high=0.042, direction="the higher, the more likely 'yes'").column
        'age'
    """

    column: str
    drop: float  # mean over blocks of rows and shuffles, in the metric's unit; above 0: the model needs the column
    low: float = math.nan  # the interval of `OPTIONS.coverage`, by what blocks of rows differ; NaN with one block
    high: float = math.nan
    direction: str = ""  # which way it moves the answer; empty where neither way prevails, or it has no order


@dataclass(frozen=True, slots=True)
class Dependence:
    """The mean answer when one column has the same value in every row, for several values.

    See Also:
        `ModelExplanation`.

    Example:
        >>> Dependence("age", False, (20.0, 60.0), {"yes": (0.2, 0.4)}).curves["yes"]
        (0.2, 0.4)
    """

    column: str
    categorical: bool
    at: tuple[Any, ...]  # (k,) numbers or names of categories
    curves: dict[str, tuple[float, ...]]  # by label, (k,) mean probabilities; of numbers by the target, mean values


@dataclass(frozen=True, slots=True)
class ModelExplanation:
    """Which columns a model needs, which way they move its answers, and from what that is known.

    Args:
        importance: Of every column that was shuffled, the most important first.
        dependence: Of the most important columns.
        source: ``held out``: rows that the models which answered had not learned from; ``table``: a table that was
            given; ``learned``: rows that the model had learned from, as no models of folds were kept.
        rows: By which the columns were judged.
        repeats: Shuffles of each column.
        columns: Of the table; more than there are importances where there was no time for all.
        answering: Pipelines of the ensemble that answered, and how many there are.
        weight: Of those that answered, in the ensemble.
        why_not: Why there is no importance; empty where there is.

    See Also:
        `explain`.

    Example:
        >>> found = ModelExplanation((Importance("age", 0.03),), (), "held out", 250, 1, 4, (1, 2), 0.7)
        >>> print(found.words)
        Shuffled once on 250 held-out rows, answered by the fold models of 1 of 2 pipelines (70 % of the weight); ...
    """

    importance: tuple[Importance, ...]
    dependence: tuple[Dependence, ...] = ()
    source: str = "held out"
    rows: int = 0
    repeats: int = 0
    columns: int = 0
    answering: tuple[int, int] = (1, 1)
    weight: float = 1.0
    why_not: str = ""

    @property
    def words(self) -> str:
        """From what it is known, in a sentence."""
        if self.why_not:
            return self.why_not
        times = {1: "once", 2: "twice"}.get(self.repeats, f"{self.repeats} times")
        some, of = self.answering
        whose = {
            "held out": f"{self.rows:,} held-out rows, answered by the fold models",
            "table": f"{self.rows:,} rows of the table that was given, answered by the model",
            "learned": f"{self.rows:,} rows that the model had learned from, as no models of folds were kept: it says "
            "what the model uses, and flatters it; answered by the model",
        }[self.source]
        words = f"Shuffled {times} on {whose}"
        if some < of:
            words += f" of {some} of {of} pipelines ({100 * self.weight:.0f} % of the weight)"
        if len(self.importance) < self.columns:
            words += f"; the {len(self.importance)} columns closest to the target, of {self.columns:,}"
        return words + "."

    def frame(self) -> pd.DataFrame:
        """The importances as a table: column, importance, low, high, direction."""
        import pandas as pd

        names = ("column", "importance", "low", "high", "direction")
        rows = [(i.column, i.drop, i.low, i.high, i.direction) for i in self.importance]
        return pd.DataFrame(rows, columns=list(names))

    def save(self, run: Path) -> None:
        """Writes it into the folder of a run."""
        from autometa.search.records import write_record

        write_record(Path(run) / FILE, {"format": EXPLANATION_FORMAT, **_jsonable(asdict(self))})

    @classmethod
    def load(cls, run: Path) -> ModelExplanation | None:
        """What `save` wrote; None where nothing was written, or a newer version did.

        Raises:
            RunError: It is damaged.
        """
        from autometa.search.records import read_record, reading

        path = Path(run) / FILE
        if not path.exists():
            return None
        with reading(path):
            values = read_record(path)
            if values.pop("format") > EXPLANATION_FORMAT:
                return None
            return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelExplanation:
        """What JSON made of it."""
        importance = tuple(Importance(**_numbers(one)) for one in values["importance"])
        dependence = tuple(
            Dependence(
                one["column"],
                one["categorical"],
                tuple(one["at"]),
                {label: tuple(curve) for label, curve in one["curves"].items()},
            )
            for one in values["dependence"]
        )
        answering = tuple(values["answering"])
        return cls(**{**values, "importance": importance, "dependence": dependence, "answering": answering})


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """What JSON has no number for is NaN again."""
    return {key: math.nan if value is None else value for key, value in values.items()}


def _jsonable(value: Any) -> Any:
    """Strict JSON: NumPy's scalars are Python's, what is not finite is null."""
    if isinstance(value, dict):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
