"""A table of evaluations, one row each, and a small file that says what its columns mean.

    {
      "task": "dataset",                                     the column that names the task
      "family": "model",                                     the column that names the model family
      "seconds": "runtime",                                  optional; also seed and state
      "scores": {"auc": "roc_auc", "loss": {"metric": "neg_log_loss", "direction": "minimize"}},
      "families": {"gbm": "lightgbm"},                       their names of families, where they are not ours
      "parameters": {"lightgbm": {"lr": "learning_rate"}},   for each family of ours: their column, our parameter
      "tasks": {
        "adult": {"data": "adult.csv", "target": "class"},   the data, for its fingerprint and meta-features; or else
        "bank": {"kind": "binary", "rows": 45211, "columns": 16}
      }
    }

JSON or TOML. Where every row has the same task or family, ``{"value": "adult"}`` stands for the column. A parameter
that a family has and the table has not is taken to be the family's default. What a row lacks or has wrong is refused,
all of it at once; ``"missing"`` (a score: "skip", "failed") and ``"outside"`` (a value out of our range: "skip",
"nearest") say otherwise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from autometa.errors import InputError, Problem
from autometa.evaluation import METRICS, Evaluation, resolve_metric
from autometa.families import FAMILIES
from autometa.imports.mapping import WHEN_MISSING, WHEN_OUTSIDE, ColumnMapping, known, listed
from autometa.imports.summary import Imported
from autometa.imports.values import family_space, fitted, read_value
from autometa.origins import State
from autometa.space import FAMILY, Config
from autometa.store import TaskRecord
from autometa.task import read_table

if TYPE_CHECKING:
    from autometa.store import MetaStore


def import_table(
    path: str | Path,
    mapping: str | Path | Mapping[str, Any],
    store: MetaStore,
    *,
    offline: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Imported:
    r"""Adds the evaluations in a table to a store.

    Args:
        path: A file that `autometa.task.read_table` reads.
        mapping: The file that says what its columns mean, or what would be in it.
        store: Where they go; evaluations that are there already are not added again.
        offline: Take what is at OpenML from its cache alone.
        tell: Called with a sentence about each task.

    Raises:
        InputError: Everything that is wrong with the table and the mapping, together; nothing was added then.

    See Also:
        `import_openml`, `Imported`.

    Example:
        >>> import tempfile
        >>> from autometa.store import MetaStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     runs, store = Path(folder) / "runs.csv", MetaStore(Path(folder) / "store.db")
        ...     _ = runs.write_text("data,model,auc,k\nbank,neighbours,0.91,5\nbank,neighbours,0.93,9\n")
        ...     mapping = {
        ...         "task": "data",
        ...         "family": "model",
        ...         "scores": {"auc": "roc_auc"},
        ...         "families": {"neighbours": "knn"},
        ...         "parameters": {"knn": {"k": "n_neighbors"}},
        ...         "tasks": {"bank": {"kind": "binary", "rows": 45211, "columns": 16}},
        ...     }
        ...     brought = import_table(runs, mapping, store)
        ...     again = import_table(runs, mapping, store)
        ...     brought.new, again.new, store.past(kind="binary", metric="roc_auc").scores
        (2, 0, array([[0.91, 0.93]]))
    """
    meaning = ColumnMapping.read(mapping)
    rows: list[dict[str, Any]] = []
    problems: tuple[Problem, ...] = ()
    try:
        frame, _ = read_table(path)
        rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    except InputError as error:
        problems = error.problems
    meaning.check(list(rows[0]) if rows else None)
    records = meaning.records(meaning.names("task", rows), offline=offline, tell=tell)
    if problems or meaning.problems:
        raise InputError([*problems, *meaning.problems])
    reader = _Reader(meaning, records)
    found: dict[str, list[Evaluation]] = {}
    for name, family, row in zip(meaning.names("task", rows), meaning.names("family", rows), rows, strict=True):
        evaluation = reader.evaluation(row, records[name], family)
        if evaluation is not None:
            found.setdefault(name, []).append(evaluation)
    reader.refuse()
    brought = Imported(tasks=len(found), read=len(rows), left_out=reader.left_out)
    for name, evaluations in found.items():
        tell(f"{name}: {len(evaluations)} evaluations")
        brought.new += store.add(records[name], evaluations)
    return brought


class _Reader:
    """Reads row after row; what is wrong with them is gathered by what it is, with the first rows of each."""

    def __init__(self, mapping: ColumnMapping, records: Mapping[str, TaskRecord]) -> None:
        """Raises InputError for metrics that do not fit the tasks."""
        self.mapping = mapping
        self.missing, self.outside = mapping.choice("missing", WHEN_MISSING), mapping.choice("outside", WHEN_OUTSIDE)
        self.families, self.parameters = mapping.part("families"), mapping.part("parameters")
        self.columns = {key: mapping.column(key) for key in ("seconds", "seed", "state")}
        self.metrics = self._metrics({record.kind for record in records.values()})
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.wrong: dict[tuple[str, str, str], list[str]] = {}
        self.number = 0  # of the row, from 1
        self.refuse()

    def refuse(self) -> None:
        """Raises one InputError with everything that is wrong, if anything is."""
        for (key, what, fix), places in self.wrong.items():
            self.mapping.problem(key, f"{what}: {listed(places)}", fix)
        if self.mapping.problems:
            raise InputError(self.mapping.problems)

    def evaluation(self, row: Mapping[str, Any], record: TaskRecord, family: str) -> Evaluation | None:
        """The evaluation in a row; None where there is none to bring, or something is wrong."""
        self.number += 1
        family = str(self.families.get(family, family))
        if family not in FAMILIES or record.kind not in FAMILIES[family].kinds:
            what = "not made for this kind of task" if family in FAMILIES else "no family of ours"
            self._blame("family", what, family, known(family, FAMILIES) + " Translate it in `families`.")
            return None
        config = self._config(row, family, record.kind)
        scores = self._scores(row, record.kind)
        text = str(self._cell(row, "state") or State.COMPLETE).strip().lower()
        state, reason = State.read(text), f"{text}, as the table says"
        if state is None:
            self._blame("state", "not known", text, known(text, tuple(State)))
        if state is State.COMPLETE and not scores and config is not None:
            if self.missing == "refuse":
                self._blame("scores", "without a score", None, 'Or say "missing": "skip" or "failed".')
            if self.missing != "failed":
                self.left_out[family, "it has no score"] += 1
                return None
            state, reason = State.FAILED, "the table has no score"
        seconds, seed = self._number(row, "seconds", math.nan), self._number(row, "seed", 0.0)
        if config is None:
            return None
        return Evaluation(
            config, state or State.FAILED, None if state is State.COMPLETE else reason, scores, {},
            seconds, 0.0, 0, int(seed), record.n_rows, {}, "import",
        )  # fmt: skip

    def _config(self, row: Mapping[str, Any], family: str, kind: str) -> Config | None:
        """The configuration in a row, with the family's defaults for what the table does not have."""
        space = family_space(family, kind)
        given = {FAMILY: family}
        for column, parameter in self.parameters.get(family, {}).items():
            if row.get(column) is not None:
                name = f"{family}.{parameter}"
                given[name] = fitted(space, name, row[column])
        config = space.complete(given)
        problems = space.problems(config)
        if problems and self.outside == "nearest":
            return space.clip(config)[0]
        for problem in problems:
            name, _, what = problem.partition(": ")
            value, _, limits = what.rpartition(" is outside ")
            if self.outside == "skip":
                self.left_out[family, f"its {name.removeprefix(f'{family}.')} is outside {limits}"] += 1
                break
            self._blame(f"parameters.{name}", f"outside {limits}", value, 'Or say "outside": "skip" or "nearest".')
        return None if problems else config

    def _scores(self, row: Mapping[str, Any], kind: str) -> dict[str, float]:
        """Every score that a row has, larger is better."""
        scores = {}
        for column, (name, sign) in self.metrics[kind].items():
            value = row.get(column)
            if value is None:
                continue
            number = read_value(value)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or math.isinf(number):
                self._blame(f"scores.{column}", "not a number", value)
            elif number == number:
                score = sign * float(number)
                best = 1.0 if METRICS[name].sign == 1 else 0.0
                if score > best + 1e-9:
                    fix = "Per cent are divided by 100." if best else 'Say "direction": "minimize" if it is a loss.'
                    self._blame(f"scores.{column}", f"above the best {name} there is, {best:g}", value, fix)
                scores[name] = score
        return scores

    def _metrics(self, kinds: set[str]) -> dict[str, dict[str, tuple[str, int]]]:
        """For each kind of task and each column of scores that fits it: our metric, and the sign of its values."""
        out: dict[str, dict[str, tuple[str, int]]] = {kind: {} for kind in sorted(kinds)}
        for column, (metric, direction) in self.mapping.scores().items():
            misfits: list[Problem] = []
            for kind, fitting in out.items():
                try:
                    fitting[column] = (resolve_metric(metric, cast(Any, kind)), -1 if direction == "minimize" else 1)
                except InputError as error:
                    misfits += error.problems
            if len(misfits) == len(out):  # it may be of some kinds only
                self.mapping.problems += misfits[:1]
            if direction == "minimize" and any(METRICS[f[column][0]].sign == 1 for f in out.values() if column in f):
                self.mapping.problem(f"scores.{column}", f"{metric} is better when larger", "Import 1 - error instead.")
        return out

    def _number(self, row: Mapping[str, Any], key: str, otherwise: float) -> float:
        value = read_value(self._cell(row, key))
        if value is None:
            return otherwise
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
        if not good or (key == "seed" and not float(value).is_integer()):
            self._blame(key, "not a whole number" if key == "seed" else "not a number of seconds", value)
            return otherwise
        return float(value)

    def _cell(self, row: Mapping[str, Any], key: str) -> Any:
        column = self.columns[key]
        return None if column is None else row.get(column)

    def _blame(self, key: str, what: str, value: Any, fix: str = "") -> None:
        place = f"row {self.number}" if value is None else f"{value} in row {self.number}"
        self.wrong.setdefault((key, what, fix), []).append(place)
