"""What the web service answers, without a word about HTTP: predictions and explanations of the rows of a body.

The model is read once, with all that its members need, and asked for one row before the first request comes: what is
wrong with it shows when the service starts, and the first person does not wait.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import AutoMetaError, InputError, Problem
from autometa.explain.rows import explained_rows
from autometa.explain.shapley import background_of
from autometa.search import Model, Run, load_model
from autometa.search.answers import answers_of
from autometa.serve.columns import Field, fields_of
from autometa.serve.encoded import RequestEncoder, files_sent
from autometa.serve.options import OPTIONS
from autometa.serve.reading import PARAMETERS, parameters_of, rows_of_json, table_of_json, table_of_text
from autometa.task.read import read_table
from autometa.values import Gathered

ALLOW = "?allow_missing=true"


class TooMuchError(InputError):
    """A request that asks for more than the service gives at once.

    Example:
        >>> TooMuchError("12,000 rows").exit_code
        2
    """


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks beside its rows.

    Example:
        >>> Asked(proba=True).interval is None
        True
    """

    proba: bool = False
    threshold: float | None = None
    interval: float | None = None
    by: str | None = None
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A table of answers, (n, any), and sentences about what of the request could not be read as it was learned."""

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    asked_rows: int = 0

    def records(self) -> list[dict[str, Any]]:
        """The rows as JSON has them: a number that is none is null, a set of classes a list."""
        found = [{name: plain(value) for name, value in row.items()} for row in self.table.to_dict(orient="records")]
        if "prediction_set" in self.table:
            found = [row | {"prediction_set": json.loads(row["prediction_set"])} for row in found]
        return found


@dataclass(frozen=True, slots=True)
class Service:
    """A model, ready to answer.

    Args:
        model: What answers.
        path: Where it was read.
        background: (b, p) typed rows that rows are explained against; None where the table of the run is not there.
        fields: The columns that a row needs.
        rows: Most rows of one request.
        encoded: What its rows are encoded by, where it was fitted on images or texts; None for plain tables.

    See Also:
        `autometa serve`, which puts it behind HTTP.

    Example:
        >>> service = Service.open(run)
        >>> body = wines.head(2).to_json(orient="records").encode()
        >>> [one["prediction"] for one in service.predict(body, "json", {"proba": "true"}).records()]
        [0, 0]
        >>> service.predict(b'[{"alcohol": 13}]', "json", {})
        Traceback (most recent call last):
            ...
        autometa.errors.InputError: ...
    """

    model: Model
    path: Path
    background: pd.DataFrame | None
    fields: list[Field]
    rows: int = OPTIONS.rows
    encoded: RequestEncoder | None = None

    @classmethod
    def open(cls, path: str | Path, *, trusted: bool = False, rows: int = OPTIONS.rows, paths: bool = False) -> Service:
        """Reads the model of a run, or a model file, and asks it for one row.

        Args:
            path: The folder of a finished run, its ``model.pkl``, or what an estimator's `save` wrote.
            trusted: Read it though somebody else made it: that runs code that is in it.
            rows: Most rows of one request.
            paths: Whether rows may name files of images on this machine, which whoever asks could then look at.

        Raises:
            RunError: There is no model, it is damaged or somebody else's.
            InputError: What encodes its images or texts is not there, or not what it was.
        """
        path = Path(path)
        model, background = load_model(path, trusted=trusted), None
        encoded, fields = RequestEncoder.of(model, paths=paths), fields_of(model)
        if (path / "run.json").is_file():
            background = background_of(Run.open(path, trusted=trusted).task)
        service = cls(model, path, background, fields if encoded is None else encoded.fields(model), rows, encoded)
        columns = {one.name: [one.example] for one in fields}
        model.answer(model.schema.apply(pd.DataFrame(columns)))
        return service

    def predict(self, body: bytes, kind: str, query: Mapping[str, str]) -> Reply:
        """The answers for the rows of a body.

        Args:
            body: ``json``: rows with the names of the columns; ``csv``: a table as `autometa predict` reads it; of a
                model of images also one image, or a form with some.
            kind: Which of these; of the last two the content type.
            query: Of `PARAMETERS`, as text.

        Raises:
            InputError: Everything that is wrong with it; `TooMuchError` where it is only too much.
        """
        return self._answered(*self._read(lambda asked: self._table(body, kind, asked), query, PARAMETERS))

    def predict_table(self, frame: pd.DataFrame, query: Mapping[str, str]) -> Reply:
        """As `predict`, of a raw table (n, any) that was read already.

        Raises:
            InputError: As `predict`.
        """
        return self._answered(*self._read(lambda _: frame, query, PARAMETERS))

    def _answered(self, X: pd.DataFrame, asked: Asked, notes: list[str]) -> Reply:
        table = answers_of(
            self.model, X, proba=asked.proba, threshold=asked.threshold, interval=asked.interval, by=asked.by
        )
        return Reply(table, notes, len(X))

    def explain(self, body: bytes, kind: str, query: Mapping[str, str]) -> Reply:
        """Why the rows of a body are answered as they are, as far as there is time.

        Raises:
            InputError: As `predict`; or the table of the run, which rows are explained against, is not there.
        """
        if self.background is None:
            what = "has no training table beside it, which rows are explained against"
            raise InputError(Problem(self.path.name, what, "Serve the folder of the run to have explanations."))
        most = min(self.rows, OPTIONS.explained_rows)
        X, _, notes = self._read(lambda asked: self._table(body, kind, asked), query, ("allow_missing",), most)
        until = time.monotonic() + OPTIONS.explain_seconds
        _, table = explained_rows(self.model, self.background, X, until)
        if len(table) < len(X):
            notes.append(f"{len(table):,} of {len(X):,} rows were explained in {OPTIONS.explain_seconds:g} s.")
        return Reply(table, notes, len(X))

    def _read(
        self,
        read: Callable[[Asked], pd.DataFrame],
        query: Mapping[str, str],
        known: tuple[str, ...],
        most: int | None = None,
    ) -> tuple[pd.DataFrame, Asked, list[str]]:
        """The rows, typed, what else is asked, and what could not be read; with all problems, or none."""
        values, problems = parameters_of(query, known)
        asked, gathered, notes = Asked(**values), Gathered(), list[str]()
        gathered.take(self._check, asked)
        frame, typed = gathered.take(read, asked), None
        most = self.rows if most is None else most
        if frame is not None and len(frame) > most:
            what = f"has {len(frame):,} rows, and a request may have {most:,}"
            gathered.problems.append(Problem("body", what, "Send several, or use `autometa predict`."))
            raise TooMuchError([*problems, *gathered.problems])
        if frame is not None:
            typed = gathered.take(self.model.schema.apply_later, frame, allow_missing=asked.allow_missing)
        problems += [_as_here(one) for one in gathered.problems]
        if problems or typed is None:
            raise InputError(problems)
        notes += [str(column) for column in typed[1]]
        return typed[0], asked, notes

    def _table(self, body: bytes, kind: str, asked: Asked) -> pd.DataFrame:
        if self.encoded is not None:
            return self._encoded_table(self.encoded, body, kind, asked)
        if kind == "json":
            return table_of_json(body, self.model, allow_missing=asked.allow_missing)
        return table_of_text(body, self.model)

    def _encoded_table(self, encoded: RequestEncoder, body: bytes, kind: str, asked: Asked) -> pd.DataFrame:
        """Images or texts of a body as the vectors that the model learned from."""
        name, reading = encoded.column, self.model.schema.reading
        if kind == "csv":
            frame = table_of_text(body, self.model)
        elif kind == "json":
            rows = rows_of_json(body, () if asked.allow_missing else [one.name for one in self.fields])
            there = any(name in row for row in rows)
            cells = [row.pop(name, None) for row in rows]
            frame = pd.DataFrame(index=range(len(rows)))
            if any(rows):
                frame = read_table(json.dumps(rows).encode(), **reading)[0]
            frame = frame.assign(**{name: pd.Series(cells, dtype=object)}) if there or not rows else frame
        else:
            images, beside = files_sent(kind, body, name)
            frame = pd.DataFrame(index=range(len(images)))
            if beside:
                frame = read_table(pd.DataFrame(beside).to_csv(index=False).encode(), **reading)[0]
            frame = frame.assign(**{name: pd.Series(images, dtype=object)})
        if len(frame) > self.rows:
            return frame  # which is refused
        if name not in frame.columns:
            raise InputError(Problem("body", f"no column {name!r}", "It is what the model was fitted on."))
        if not len(frame):
            return pd.DataFrame(columns=pd.Index(self.model.schema.raw, dtype="str"), dtype=object)
        return encoded.table(frame.drop(columns=[name]), list(frame[name]))

    def _check(self, asked: Asked) -> None:
        """Refuses what the model cannot give."""
        gathered, model = Gathered(), self.model
        if asked.proba and model.kind == "regression":
            what = f"{model.target!r} is a number, and has no probabilities"
            gathered.problems.append(Problem("proba", what, "Leave it out."))
        gathered.take(model.check_threshold, asked.threshold)
        if asked.interval is not None:
            gathered.take(model.check_interval, asked.interval, asked.by)
        gathered.refuse()

    def about(self) -> dict[str, Any]:
        """What the service is, as ``/health`` tells it."""
        from autometa import __version__

        model = self.model
        return {
            "status": "ok",
            "model": model.name,
            "target": model.target,
            "kind": model.kind,
            "metric": model.metric,
            "classes": [plain(label) for label in model.classes],
            "columns": [one.name for one in self.fields],
            "takes": "rows" if self.encoded is None else self.encoded.encoder.record.takes,
            "pipelines": len(model.members),
            "most_rows": self.rows,
            "explains": self.background is not None,
            "autometa": __version__,
        }


def _as_here(problem: Problem) -> Problem:
    """A problem of the command line in the words of a request."""
    where = "body" if problem.where == "table" else problem.where
    return replace(problem, where=where, fix=problem.fix.replace("--allow-missing (allow_missing=True)", ALLOW))


def explanations(answers: Reply) -> list[dict[str, Any]]:
    """Explanations as JSON has them: the contributions of a row under the names of their columns.

    Example:
        >>> table = pd.DataFrame({"prediction": [3.0], "answer": [3.0], "base": [1.0], "shap_x": [2.0]})
        >>> explanations(Reply(table))
        [{'prediction': 3.0, 'answer': 3.0, 'base': 1.0, 'contributions': {'x': 2.0}}]
    """
    found = []
    for row in answers.records():
        own = {name.removeprefix("shap_"): row[name] for name in row if name.startswith("shap_")}
        found.append({**{name: row[name] for name in row if not name.startswith("shap_")}, "contributions": own})
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it.

    Example:
        >>> plain(np.float64("nan")), plain(np.int64(3)), plain("a"), plain(pd.Timestamp("2026-01-02"))
        (None, 3, 'a', '2026-01-02 00:00:00')
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def said(error: AutoMetaError) -> list[dict[str, str]]:
    """What is wrong, as ``--json`` has it on the command line.

    Example:
        >>> said(InputError(Problem("body", "is empty", "Send rows.")))
        [{'where': 'body', 'what': 'is empty', 'fix': 'Send rows.'}]
    """
    problems = error.problems if isinstance(error, InputError) else (Problem("", str(error)),)
    return [{"where": one.where, "what": one.what, "fix": one.fix} for one in problems]
