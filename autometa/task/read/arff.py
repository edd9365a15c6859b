"""ARFF, dense and sparse: the header by liac-arff, a dense body by the fast reader, anything else by liac-arff."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import pandas as pd

from autometa.task.cells import MISSING_TEXTS, label, labels
from autometa.task.findings import InputFindings
from autometa.task.names import renamed
from autometa.task.options import OPTIONS
from autometa.task.read.dialect import Dialect
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest
from autometa.task.read.records import Body, read_rows

# Blanks of their own line only: from every line on to the next text would take the lines squared.
_DATE = re.compile(r"""(?im)^([^\S\n]*@attribute\s+(?:'[^']*'|"[^"]*"|\S+)\s+)date\b.*$""")
_ATTRIBUTE = re.compile(r"(?im)^[^\S\n]*@attribute\b")
_START = re.compile(r"^[^\S\n]*@data[^\n]*\n?", re.IGNORECASE | re.MULTILINE)
_ABOVE = re.compile(rb"(%[^\n]*\n|\s)*@relation\b", re.IGNORECASE)


def is_arff(start: bytes) -> bool:
    """Whether a text begins as ARFF does: comments and blank lines aside, with @relation."""
    return _ABOVE.match(start) is not None


def read_arff(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:  # data: UTF-8
    """The table in an ARFF file, nominal attributes as categories; None, with a problem, where it is broken."""
    import arff  # type: ignore[import-untyped]

    text = data.decode("utf-8")
    start = _START.search(text)
    if start is None:
        findings.refuse("an ARFF file without @data")
        return None
    if not request.limits.allow_columns(len(_ATTRIBUTE.findall(text, 0, start.end())), findings):
        return None
    head, lines_above = text[: start.end()], text[: start.end()].count("\n")
    try:
        head = _DATE.sub(r"\1string", head)  # liac-arff knows no dates; `Schema` does
        attributes = arff.loads(head)["attributes"]
        body = re.sub(r"(?m)^[^\S\n]*(%[^\n]*)?\n", "", text[start.end() :])
        names = [name for name, _ in attributes]
        sparse = body.lstrip().startswith("{")
        frame = written = None
        if not sparse and "\\" not in body:
            rows = Body(body.encode(), names, _dialect(body), lines_above + 1)
            parsed = read_rows(rows, findings, sorted(request.missing - {"None"}))
            frame, written = (None, None) if parsed is None else (parsed.frame, parsed.written)
        elif body.strip():
            if not request.limits.allow_table(body.count("\n") + 1, len(names), findings):
                return None
            decoded = arff.loads(head + body, return_type=arff.LOD if sparse else arff.DENSE)["data"]
            dense = _dense(decoded, attributes) if sparse else list(decoded)
            frame = renamed(pd.DataFrame(dense, columns=range(len(names))), names)
    except (arff.ArffException, ValueError) as error:  # it unpacks what it has not checked
        findings.refuse(f"broken ARFF: {error}")
        return None
    if frame is None or not len(frame):
        findings.refuse(NO_ROWS)
        return None
    columns = []
    for i, (_, kind) in enumerate(attributes):
        column = frame.iloc[:, i]
        if isinstance(kind, list):  # a word for missing that is declared as a value is one
            values = MISSING_TEXTS & {text.strip() for text in kind} - {"", "?"} if request.na is None else frozenset()
            column = written(i, ("", "?")) if values and written is not None else column
            column = _categories(column, request.missing - values, kind)
        columns.append(column)
    return Parsed(renamed(pd.concat(columns, axis=1), names))


def _dialect(body: str) -> Dialect:
    """How the rows of a dense body are written."""
    sample = body[: OPTIONS.sample_bytes]
    quote = '"' if '"' in body and "'" not in body else "'"
    return Dialect("\t" if "," not in sample and "\t" in sample else ",", quote)


def _dense(rows: list[dict[int, Any]], attributes: list[tuple[str, Any]]) -> list[list[Any]]:
    """Sparse rows with all of their cells: one that is not written is 0, or the first of its categories."""
    zero = [kind[0] if isinstance(kind, list) else 0 for _, kind in attributes]
    return [[row.get(i, zero[i]) for i in range(len(attributes))] for row in rows]


def _categories(column: pd.Series, missing: frozenset[str], declared: Collection[str]) -> pd.Series:  # (n,)
    """A nominal attribute: the categories that some row has, with their blanks where they are declared so."""
    if any(text != text.strip() for text in declared):
        known = {text: text for text in declared}
        written = [None if pd.isna(cell) or label(cell) in missing else known.get(cell, label(cell)) for cell in column]
        return pd.Series(pd.Categorical(pd.Series(written, dtype="str")))
    codes, texts = labels(column, missing)
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(texts, dtype="str")))
