"""The file that says what the columns of a table of evaluations mean (see `table`), read and checked.

Everything that is wrong with it is gathered, never raised one by one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.evaluation import METRIC_KINDS, resolve_metric
from autometa.families import FAMILIES
from autometa.imports.values import family_space
from autometa.metafeatures import describe
from autometa.openml import is_address, read_task
from autometa.space import FAMILY
from autometa.store import TaskRecord
from autometa.task import DEFAULT_METRICS

KEYS = ("task", "family", "scores", "tasks", "parameters", "families", "seconds", "seed", "state", "missing", "outside")
TASK_KEYS = ("data", "target", "kind", "rows", "columns", "classes", "openml_id", "family")
WHEN_MISSING, WHEN_OUTSIDE = ("refuse", "skip", "failed"), ("refuse", "skip", "nearest")

EXAMPLES = {
    "scores": '{"auc": "roc_auc"}',
    "tasks": '{"adult": {"data": "adult.csv"}}',
    "parameters": '{"lightgbm": {"lr": "learning_rate"}}',
    "families": '{"gbm": "lightgbm"}',
}


@dataclass(slots=True)
class ColumnMapping:
    """The file, and the problems found so far."""

    where: str
    folder: Path  # that its paths are relative to
    content: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, source: str | Path | Mapping[str, Any]) -> ColumnMapping:
        """A JSON or TOML file, or what would be in it. Raises InputError when it is neither."""
        if isinstance(source, Mapping):
            return cls("mapping", Path(), source)
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise InputError(Problem(str(path), f"cannot be read: {why}")) from None
        try:
            if path.suffix.lower() == ".toml":
                import tomllib

                said = tomllib.loads(text)
            else:
                said = json.loads(text)
        except ValueError as error:
            fix = "A TOML file ends in .toml."
            raise InputError(Problem(str(path), f"is neither JSON nor TOML: {error}", fix)) from None
        if not isinstance(said, dict):
            raise InputError(Problem(str(path), "is not a table of keys", f"Known: {', '.join(KEYS)}."))
        return cls(path.name, path.parent, said)

    def problem(self, key: str, what: str, fix: str = "") -> None:
        """Notes that something is wrong with a key of the file."""
        self.problems.append(Problem(f"{self.where}, {key}", what, fix))

    def part(self, key: str) -> dict[str, Any]:
        """A table of the file; empty where there is none."""
        value = self.content.get(key, {})
        return value if isinstance(value, dict) else {}

    def column(self, key: str) -> str | None:
        """The column that a key names, if it names one."""
        value = self.content.get(key)
        return value if isinstance(value, str) else None

    def choice(self, key: str, known: Sequence[str]) -> str:
        """One of some words; the first if it is not said."""
        return str(self.content.get(key, known[0]))

    def names(self, key: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """The task, or the family, of each row; none where there is no such column."""
        value = self.content.get(key)
        if isinstance(value, dict):
            return [str(value.get("value"))] * len(rows)
        return [str(row[str(value)]) for row in rows if str(value) in row]

    def scores(self) -> dict[str, tuple[Any, Any]]:
        """For each column that is a score: the metric and the direction."""
        return {
            column: (said.get("metric"), said.get("direction", "maximize"))
            if isinstance(said, dict)
            else (said, "maximize")
            for column, said in self.part("scores").items()
        }

    def check(self, columns: Sequence[str] | None) -> None:
        """Finds what is wrong with it, beside a table of these columns (None: of a table that could not be read)."""
        for key in self.content:
            if key not in KEYS:
                self.problem(key, "is not known", known(key, KEYS))
        for key in EXAMPLES:
            if not isinstance(self.content.get(key, {}), dict):
                self.problem(key, "is not a table", f"Such as {EXAMPLES[key]}.")
        for key, words in (("missing", WHEN_MISSING), ("outside", WHEN_OUTSIDE)):
            if self.choice(key, words) not in words:
                self.problem(key, f"{self.content[key]!r} is not known", known(self.choice(key, words), words))
        for key in ("task", "family"):
            value = self.content.get(key)
            if not isinstance(value, str) and not (isinstance(value, dict) and isinstance(value.get("value"), str)):
                self.problem(key, "which column is it?", f'Such as "{key}": "COLUMN", or "{key}": {{"value": "NAME"}}.')
        named = [(key, self.column(key)) for key in ("task", "family", "seconds", "seed", "state")]
        named += (("scores", column) for column in self.scores())
        if not self.part("scores"):
            self.problem("scores", "none is named", f"Such as {EXAMPLES['scores']}.")
        for column, (metric, direction) in self.scores().items():
            if not isinstance(metric, str) or direction not in ("maximize", "minimize"):
                fix = 'Such as {"metric": "roc_auc", "direction": "maximize"}.'
                self.problem(f"scores.{column}", f"{self.part('scores')[column]!r} is no score", fix)
        for theirs, ours in self.part("families").items():
            if ours not in FAMILIES:
                self.problem(f"families.{theirs}", f"{ours!r} is no family of ours", known(ours, FAMILIES))
        for family, parameters in self.part("parameters").items():
            if family not in FAMILIES or not isinstance(parameters, dict):
                what = "is no family of ours" if family not in FAMILIES else "is not a table"
                self.problem(f"parameters.{family}", what, known(family, FAMILIES))
                continue
            named += [(f"parameters.{family}", column) for column in parameters]
            ours = list(dict.fromkeys(p for kind in FAMILIES[family].kinds for p in parameters_of(family, kind)))
            for parameter in parameters.values():
                if parameter not in ours:
                    self.problem(f"parameters.{family}", f"it has no {parameter!r}", known(parameter, ours))
        for key, name in named:
            if columns is not None and name is not None and name not in columns:
                self.problem(key, f"the table has no column {name!r}", did_you_mean(name, columns))

    def records(self, names: Sequence[str], *, offline: bool, tell: Callable[[str], None]) -> dict[str, TaskRecord]:
        """The record of each task that occurs, as far as nothing is wrong with it."""
        facts, occurring = self.part("tasks"), list(dict.fromkeys(names))
        if lacking := [name for name in occurring if name not in facts]:
            what = f"says nothing of {listed([repr(name) for name in lacking])}"
            self.problem("tasks", what, f"Such as {EXAMPLES['tasks']}.")
        found = {}
        for name in (name for name in occurring if name in facts):
            if not isinstance(facts[name], dict):
                self.problem(f"tasks.{name}", "is not a table", f"Such as {EXAMPLES['tasks']}.")
                continue
            for key in facts[name]:
                if key not in TASK_KEYS:
                    self.problem(f"tasks.{name}", f"{key!r} is not known", known(key, TASK_KEYS))
            if "data" in facts[name]:
                tell(f"looking at {facts[name]['data']}")
                record = self._seen(name, facts[name], offline=offline)
            else:
                record = self._declared(name, facts[name])
            if record is not None:
                found[name] = record
        return found

    def _seen(self, name: str, facts: Mapping[str, Any], *, offline: bool) -> TaskRecord | None:
        """The record of a task whose data is at hand."""
        data = facts["data"] if is_address(facts["data"]) else self.folder / str(facts["data"])
        try:
            task = read_task(
                data, target=facts.get("target"), kind=facts.get("kind"), known_metrics=METRIC_KINDS,
                openml_id=facts.get("openml_id"), offline=offline, drop_missing_target=True, keep_lone_classes=True,
            )  # fmt: skip
        except InputError as error:
            self.problems += [replace(p, where=f"{self.where}, tasks.{name}: {p.where}") for p in error.problems]
            return None
        task = replace(task, name=name, family=facts.get("family"), metric=resolve_metric(task.metric, task.kind))
        return TaskRecord.of(task, describe(task), source="table")

    def _declared(self, name: str, facts: Mapping[str, Any]) -> TaskRecord | None:
        """The record of a task whose data is not at hand."""
        kind, kinds = facts.get("kind"), tuple(DEFAULT_METRICS)
        least = {"rows": 1, "columns": 1} | ({"classes": 3} if kind == "multiclass" else {})
        wrong = [key for key, low in least.items() if not isinstance(facts.get(key), int) or facts[key] < low]
        if kind not in kinds or wrong:
            lacking = ", ".join([*(["kind"] if kind not in kinds else []), *wrong])
            fix = f"Name its data, or say them; kind is one of {', '.join(kinds)}."
            self.problem(f"tasks.{name}", f"lacks {lacking}", fix)
            return None
        n, p = facts["rows"], facts["columns"]
        c = {"binary": 2, "regression": 0}.get(kind) or facts.get("classes", 0)
        fingerprint = hashlib.sha256(f"declared {name} {kind} {n} {p} {c}".encode()).hexdigest()[:32]
        family, number = facts.get("family"), facts.get("openml_id")
        return TaskRecord(fingerprint, name, kind, DEFAULT_METRICS[kind], n, p, c, family, number, source="table")


def listed(words: Sequence[str], most: int = 3) -> str:
    """The first of some words, and how many more there are.

    Example:
        >>> listed(["row 1", "row 2", "row 5", "row 9"])
        'row 1, row 2, row 5 and 1 more'
    """
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def known(word: Any, words: Any) -> str:
    """What was probably meant, and what there is."""
    return f"{did_you_mean(str(word), list(words))} Known: {', '.join(words)}.".strip()


def parameters_of(family: str, kind: str) -> list[str]:
    """The names of a family's parameters for a kind of task, without the family in front."""
    return [p.name.removeprefix(f"{family}.") for p in family_space(family, kind) if p.name != FAMILY]
