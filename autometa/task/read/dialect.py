"""How a text table is written: its delimiter, quotes, escapes and decimal sign, and what its first line is.

Found on a sample of whole lines. To know another dialect, let `sniff` see it and `Dialect` carry it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from autometa.task.cells import number_style
from autometa.task.options import OPTIONS


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    delimiter: str  # " " stands for any run of blanks
    quote: str = '"'
    decimal: str = "."
    escape: str | None = None
    extra: Literal["", "first", "last"] = ""  # the cell that rows have beyond the header: a name, or an empty last one


def sniff(sample: str, delimiter: str | None = None) -> Dialect:
    r"""The dialect in which a sample of whole lines is written; its delimiter may be known.

    A delimiter is right when the rows have as many cells as the header, then when most rows have the same number, then
    when there are more of them.

    Example:
        >>> sniff("a;b\n1,5;x\n2,5;y\n")
        Dialect(delimiter=';', quote='"', decimal=',', escape=None, extra='')
    """
    single = '"' not in sample and re.search(r"(?m)(^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample)
    quote = "'" if single else '"'
    escape = "\\" if '\\"' in sample else None
    candidates = {one: _cells(sample, one, quote, escape) for one in ([delimiter] if delimiter else ",;\t|")}
    chosen = max(candidates, key=lambda one: _fit(candidates[one]))  # the first among equals
    rows = candidates[chosen]
    if not delimiter and all(len(row) == 1 for row in rows):
        blanks = _cells("\n".join(" ".join(line.split()) for line in sample.splitlines()), " ", quote, escape)
        fit = _fit(blanks)
        numeric = [number_style([cell]) == "point" for row in blanks[1:] for cell in row]
        if len(blanks) > 2 and fit.share == 1 and fit.width > 1 and np.mean(numeric) >= OPTIONS.blanks_number_share:
            return Dialect(" ", quote, extra="" if fit.as_header else "first")
    body = [cell.strip() for row in rows[1:] for cell in row]
    comma = any(re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell) for cell in body)
    point = any(re.fullmatch(r"[+-]?\d+\.\d+([eE][+-]?\d+)?", cell) for cell in body)
    extra: Literal["", "first", "last"] = ""
    if _fit(rows).one_more:
        extra = "first" if any(row[-1] for row in rows[1:]) else "last"
    return Dialect(chosen, quote, "," if chosen != "," and comma and not point else ".", escape, extra)


class _Fit(NamedTuple):
    """How much rows look like a header and its table; compared in order."""

    as_header: bool  # most rows are as wide as the header, and wider than one cell
    one_more: bool  # most rows are one cell wider than the header
    share: float  # of the rows that are as wide as most
    width: int  # of these, in cells


def _fit(rows: list[list[str]]) -> _Fit:
    widths = Counter(map(len, rows[1:])) or Counter(map(len, rows)) or Counter([1])
    width, count = widths.most_common(1)[0]
    header = len(rows[0]) if rows else 1
    return _Fit(header == width > 1, width == header + 1 > 2, round(count / max(len(rows) - 1, 1), 2), width)


def _cells(text: str, delimiter: str, quote: str, escape: str | None) -> list[list[str]]:
    """The cells of the first rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, escapechar=escape)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == OPTIONS.sample_rows:
                break
    except csv.Error:  # a cell beyond the limit of the csv module, or a stray character: this delimiter is unlikely
        pass
    return rows
