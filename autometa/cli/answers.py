"""What ``autometa predict`` writes: answers as CSV or parquet, columns carried beside them, and how a table differs."""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from autometa.cli.show import emit, page
from autometa.errors import InputError, Problem, TableWarning, did_you_mean
from autometa.files import whole
from autometa.search.answers import answers_of
from autometa.task.written import write_parquet
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.search import Model
    from autometa.task import ColumnDrift
    from autometa.task.later import LaterColumn, Tally
    from autometa.task.read.batches import Batches


_SIGNS = tuple("=+-@＝＋－＠")  # with their wide twins, which some spreadsheets take for them
_FORMULA = (*_SIGNS, "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Answering:
    """What was asked of ``predict``."""

    run: Path
    proba: bool
    out: Path | None
    beside: Sequence[str]  # columns of the table to write beside the answers
    allow_missing: bool
    escape: bool  # put an apostrophe before what a spreadsheet would run
    as_json: bool
    threshold: float | None = None
    interval: float | None = None  # the share of rows whose truth an interval, or a set of classes, is to hold
    by: str | None = None  # the column whose categories are to have that share each
    keep: bool = False  # carry all columns


def answer(model: Model, table: pd.DataFrame | Batches, asked: Answering) -> None:
    """Writes the answers for a raw table, part by part where it comes so, and says what of it cannot be read.

    Nothing is written where anything is wrong, were it in the last row: answers take their place when all are there.

    Raises:
        InputError: A column that was asked for is not there, or one that the model needs cannot be read.
    """
    names = list(table.columns) if isinstance(table, pd.DataFrame) else table.names
    lacking = [name for name in asked.beside if name not in names]
    if lacking:
        raise InputError([Problem(f"--id {one}", "no such column", did_you_mean(one, names)) for one in lacking])
    if asked.as_json and asked.out is None:
        answered = _Answered(model, asked)
        answers = pd.concat(list(answered.of(table)), ignore_index=True)
        answered.say()
        emit({**answered.summary(), "predictions": answers.to_dict(orient="records")})
        return
    for quoted in (False, True):
        answered = _Answered(model, asked)
        with _kept(asked.out) as file:
            parts = answered.of(table, stop_at_returns=not quoted)
            if asked.out is not None and asked.out.suffix.lower() == ".parquet":
                write_parquet(file.path, parts)
            else:
                _write_csv(file.path, parts, csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL)
            if not answered.returns or quoted:
                answered.say()
                file.commit()
                break
    if asked.as_json:
        emit(answered.summary())
    elif asked.out is not None:
        print(f"{answered.rows} predictions are in {asked.out}", file=sys.stderr)


def answer_together(models: Mapping[str, Model], frames: Mapping[str, pd.DataFrame], asked: Answering) -> None:
    """Writes the answers of several targets for one table, which each model has read as it was learned.

    The answers of a target stand in the column of its name, what comes with them in ``proba_TARGET_LABEL``,
    ``lower_TARGET``, ``upper_TARGET`` and ``set_TARGET``.

    Raises:
        InputError: A column that was asked for is not there, or one that a model needs cannot be read; all are listed.
    """
    columns: list[pd.DataFrame] = []
    problems, said = list[Problem](), dict[str, None]()
    first = next(iter(frames.values()))
    lacking = [name for name in asked.beside if name not in first.columns]
    problems += [Problem(f"--id {one}", "no such column", did_you_mean(one, list(first.columns))) for one in lacking]
    for target, model in models.items():
        try:
            X, later = model.schema.apply_later(frames[target], allow_missing=asked.allow_missing)
        except InputError as error:
            problems += [one for one in error.problems if one not in problems]
            continue
        said |= dict.fromkeys(map(str, later))
        if not lacking:
            columns.append(
                _under(target, answers_of(model, X, proba=asked.proba and bool(model.classes), interval=asked.interval))
            )
    if problems:
        raise InputError(problems)
    beside = list(first.columns) if asked.keep else list(asked.beside)
    carried = first[beside].rename(columns={name: f"{name}_before" for name in models})
    answers = pd.concat([carried.reset_index(drop=True), *columns], axis=1)
    escaped, formulas = without_formulas(answers)
    written = escaped if asked.escape else answers
    for one in said:
        print(f"autometa: {printable(one)}", file=sys.stderr)
    summary = {"run": str(asked.run), "rows": len(answers), "out": str(asked.out) if asked.out else None}
    if asked.as_json and asked.out is None:
        emit({**summary, "predictions": written.to_dict(orient="records")})
        return
    if formulas and not asked.escape:
        begins = "1 cell begins" if formulas == 1 else f"{formulas} cells begin"
        print(
            f"autometa: {begins} as a formula does, which a spreadsheet would run: --escape-formulas.", file=sys.stderr
        )
    with _kept(asked.out) as file:
        if asked.out is not None and asked.out.suffix.lower() == ".parquet":
            write_parquet(file.path, iter([written]))
        else:
            _write_csv(file.path, iter([written]), csv.QUOTE_NONNUMERIC if _has_returns(written) else csv.QUOTE_MINIMAL)
        file.commit()
    if asked.as_json:
        emit(summary)
    elif asked.out is not None:
        print(f"{len(answers)} predictions are in {asked.out}", file=sys.stderr)


def _under(target: str, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers under the name of their target.

    Example:
        >>> list(_under("sold", pd.DataFrame({"prediction": ["no"], "proba_no": [0.9], "prediction_set": ["[]"]})))
        ['sold', 'proba_sold_no', 'set_sold']
    """
    names = {"prediction": target, "prediction_set": f"set_{target}"}
    names |= {name: f"{name}_{target}" for name in ("lower", "upper")}
    names |= {name: f"proba_{target}_{name.removeprefix('proba_')}" for name in answers if name.startswith("proba_")}
    return answers.rename(columns=names)


def encoded_source(model: Model, source: Any, said: Mapping[str, Any]) -> pd.DataFrame:
    """Images or texts as the table of vectors that a model learned from."""
    from autometa.fewshot.embedded import later

    return later(model.schema.encoder, source, **said, **model.schema.reading)


def parts_of(source: Any, model: Model, carry: str | None, *, keep_columns: bool, **said: Any) -> Any:
    """A table that is answered part by part, or what is to be read in one piece: what is small, or read otherwise.

    A column of moments that is carried is printed by all of its cells: with hours, or without.
    """
    from autometa.cli.reading import listed_names
    from autometa.openml.address import is_address
    from autometa.search.options import OPTIONS
    from autometa.task.read.batches import Batches, batches

    if is_address(source):
        return source
    found = batches(source, rows=OPTIONS.answered_rows, **said, **model.schema.reading)
    if not isinstance(found, Batches):
        return found
    beside = found.names if keep_columns else listed_names(carry or "")
    return found.in_one_piece() if found.dated & set(beside) else found


class _Answered:
    """The answers for the parts of a table, and what is counted on the way."""

    def __init__(self, model: Model, asked: Answering) -> None:
        self.model, self.asked = model, asked
        self.rows = self.formulas = 0
        self.returns = False  # whether a text has a carriage return
        self.tallies: list[Tally] | None = None
        self.later: list[LaterColumn] = []

    def of(self, table: pd.DataFrame | Batches, *, stop_at_returns: bool = False) -> Iterator[pd.DataFrame]:
        """The answers part by part; with no more of them once a text has a carriage return, where that is asked."""
        asked, schema = self.asked, self.model.schema
        for frame in [table] if isinstance(table, pd.DataFrame) else table:
            X, tallies = schema.apply_counted(frame, allow_missing=asked.allow_missing)
            self.tallies = (
                tallies if self.tallies is None else [a + b for a, b in zip(self.tallies, tallies, strict=True)]
            )
            if isinstance(table, pd.DataFrame):
                self._check()  # before anything is computed
            own = answers_of(
                self.model, X, proba=asked.proba, threshold=asked.threshold, interval=asked.interval, by=asked.by
            )
            answers = pd.concat([_carried(frame, asked.beside), own], axis=1)
            self.returns = self.returns or _has_returns(answers)
            if self.returns and stop_at_returns:
                return
            named = bool(self.rows) and sum(map(_is_formula, map(str, answers.columns)))  # counted already
            escaped, count = without_formulas(answers)
            self.formulas += count - named
            self.rows += len(answers)
            yield escaped if asked.escape and count else answers
        self._check()

    def _check(self) -> None:
        """Finds what cannot be read as it was learned.

        Raises:
            InputError: Of a column nothing can be, and that was not allowed.
        """
        self.later = self.model.schema.judged(self.tallies or [], allow_missing=self.asked.allow_missing)

    def say(self) -> None:
        """What of the table cannot be read, and which cells a spreadsheet would run."""
        for column in self.later:
            print(f"autometa: {printable(column)}", file=sys.stderr)
        count = self.formulas
        if self.asked.as_json and self.asked.out is None:
            return
        if count and not self.asked.escape:
            cells = "1 cell begins" if count == 1 else f"{count} cells begin"
            said = f"{cells} as a formula does, which a spreadsheet would run: --escape-formulas."
            print(f"autometa: {said}", file=sys.stderr)
        elif count:
            cells = "1 cell" if count == 1 else f"{count} cells"
            print(f"autometa: an apostrophe stands before {cells} that begin as a formula does.", file=sys.stderr)

    def summary(self) -> dict[str, object]:
        """As JSON."""
        out = self.asked.out
        said = [{"column": one.name, "share": one.share, "says": str(one)} for one in self.later]
        return {"run": str(self.asked.run), "rows": self.rows, "out": str(out) if out else None, "columns": said}


def _has_returns(answers: pd.DataFrame) -> bool:
    """Whether a text has a carriage return, which pandas leaves bare."""
    texts = answers.select_dtypes(exclude="number")
    return any("\r" in cell for _, column in texts.items() for cell in pd.unique(column) if isinstance(cell, str))


# --- where answers are written ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Kept:
    """A file to write to, whose content takes its place once all of it is there."""

    path: Path
    commit: Callable[[], None]


@contextmanager
def _kept(out: Path | None) -> Iterator[_Kept]:
    """A file beside `out`, or a temporary one for standard output and for what is no file, such as a pipe."""
    if out is None or (out.exists() and not out.is_file()):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"answers{'' if out is None else out.suffix}"
            yield _Kept(path, lambda: _copy(path, out))
        return
    out, done, mask = out.resolve(), list[bool](), os.umask(0)
    os.umask(mask)
    with suppress(_Unfinished), whole(out) as path:
        path.chmod(0o666 & ~mask)  # as whoever opens a file has it
        yield _Kept(path, lambda: done.append(True))
        if not done:
            raise _Unfinished


class _Unfinished(Exception):
    """Answers are not what is wanted: another form is tried."""


def _copy(path: Path, out: Path | None) -> None:
    """All of a file to standard output, or to a pipe or device."""
    if out is not None:
        with path.open("rb") as file, out.open("wb") as there:
            shutil.copyfileobj(file, there)
        return
    with path.open(encoding="utf-8", newline="") as text:
        shutil.copyfileobj(text, sys.stdout)


def _write_csv(path: Path, parts: Iterator[pd.DataFrame], quoting: Literal[0, 2]) -> None:
    """Writes the parts of a table, under one header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, answers in enumerate(parts):
            answers.to_csv(file, index=False, header=number == 0, quoting=quoting)


def without_formulas(answers: pd.DataFrame) -> tuple[pd.DataFrame, int]:  # (n, p)
    """A table with an apostrophe before each name and text that a spreadsheet takes for a formula, and how many.

    These begin with ``=``, ``+``, ``-``, ``@``, a tab or a line end, whatever blanks are before it, and are no numbers.

    Example:
        >>> table, count = without_formulas(pd.DataFrame({"prediction": ["=1+1", "-1", "- on", "no"]}))
        >>> table["prediction"].tolist(), count
        (["'=1+1", '-1', "'- on", 'no'], 2)
    """
    count, columns = 0, []
    for i, dtype in enumerate(answers.dtypes):
        column = answers.iloc[:, i]
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)):
            cells = column.astype(object)
            formula = cells.map(lambda cell: isinstance(cell, str) and _is_formula(cell)).to_numpy(dtype=bool)
            count += int(formula.sum())
            column = cells.where(~formula, "'" + cells.astype("str").astype(object)) if formula.any() else column
        columns.append(column)
    names = [f"'{name}" if _is_formula(str(name)) else name for name in answers.columns]
    count += sum(map(_is_formula, map(str, answers.columns)))
    return pd.concat(columns, axis=1).set_axis(names, axis=1), count


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet takes a text for a formula."""
    from autometa.task.cells import number_style

    begins = text[:1] in _FORMULA or text.lstrip()[:1] in _SIGNS
    return begins and number_style([text.strip()]) is None


def _carried(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Columns of the table as they are, those that have the name of an answer under another."""
    return frame[list(names)].rename(columns={"prediction": "prediction_before"}).reset_index(drop=True)


def show_drift(model: Model, frame: pd.DataFrame, *, allow_missing: bool, as_json: bool) -> None:
    """Prints how the columns of a table differ from those of the training table, the furthest first."""
    for column in model.schema.apply_later(frame, allow_missing=allow_missing)[1]:
        print(f"autometa: {printable(column)}", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # said above
        found = model.drift(frame, allow_missing=allow_missing)
    if as_json:
        emit({"rows": len(frame), "columns": [_plain(one) for one in found]})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("column", "distance", "missing", "in training", "here"):
        table.add_column(title, justify="right" if title in ("distance", "missing") else "left")
    for one in found:
        missing = f"{one.before.missing:.0%} -> {one.now.missing:.0%}" if one.before.missing or one.now.missing else ""
        cells = (one.name, f"{one.distance:.2f}", missing, one.before.typical, one.now.typical)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    page().print(table)


def _plain(one: ColumnDrift) -> dict[str, object]:
    return {
        "column": one.name,
        "distance": round(float(one.distance), 4) if np.isfinite(one.distance) else None,
        "missing": [one.before.missing, one.now.missing],
        "before": one.before.typical,
        "now": one.now.typical,
    }
