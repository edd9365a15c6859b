"""How a text table is written: its delimiter, quotes, escapes and decimal sign, and where its header is.

Found on a sample of whole lines. RFC 4180 comes first: a quote within a quoted cell is doubled, and a backslash is a
letter like any other. It is a sign of escape only where rows come out even with it and do not without.
To know another dialect, let `sniff` see it and `Dialect` carry it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from autometa.task.cells import decimal_shown, number_style
from autometa.task.options import OPTIONS
from autometa.task.read.header import COMMENTS, is_header

Row = tuple[int, list[str]]  # the line where it begins, from 1, and its cells


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    delimiter: str  # " " stands for any run of blanks
    quote: str = '"'
    decimal: str = "."
    escape: str | None = None
    extra: Literal["", "first", "last"] = ""  # the cell that rows have beyond the header: a name, or an empty last one
    above: int = 0  # rows above the header: titles and comments


def sniff(sample: str, delimiter: str | None = None) -> Dialect:
    r"""The dialect in which a sample of whole lines is written; its delimiter may be known.

    A delimiter is right when the rows have as many cells as the header, then when most rows have the same number, then
    when there are more of them.

    Example:
        >>> sniff("a;b\n1,5;x\n2,5;y\n")
        Dialect(delimiter=';', quote='"', decimal=',', escape=None, extra='', above=0)
    """
    single = '"' not in sample and re.search(r"(?m)(^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample)
    quote = "'" if single else '"'
    escapes = (None, "\\") if f"\\{quote}" in sample else (None,)
    found = {
        (escape, one): cells(sample, one, quote, escape)
        for escape in escapes
        for one in ([delimiter] if delimiter else ",;\t|")
    }
    escape, chosen = max(found, key=lambda way: (_whole(sample, way[1], quote, way[0]), _fit(found[way])))
    rows = found[escape, chosen]
    if not delimiter and all(len(row) == 1 for _, row in rows):
        text = "\n".join(" ".join(line.split()) for line in sample.splitlines())
        blanks = cells(text, " ", quote, escape)
        fit = _fit(blanks)
        numeric = [number_style([cell]) == "point" for _, row in blanks[1:] for cell in row]
        if len(blanks) > 2 and fit.share == 1 and fit.width > 1 and np.mean(numeric) >= OPTIONS.blanks_number_share:
            return Dialect(" ", quote, extra="" if fit.as_header else "first")
    above = rows_above(rows)
    body = [cell.strip() for _, row in rows[above + 1 :] for cell in row]
    shown = decimal_shown(body)
    comma = shown == {","} or (not shown and chosen == ";" and any(re.fullmatch(r"[+-]?\d+,\d+", one) for one in body))
    extra: Literal["", "first", "last"] = ""
    if _fit(rows).one_more:
        extra = "first" if any(row[-1] for _, row in rows[above + 1 :]) else "last"
    return Dialect(chosen, quote, "," if comma else ".", escape, extra, above)


def cells(text: str, delimiter: str, quote: str, escape: str | None) -> list[Row]:
    """The cells of the first rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, escapechar=escape)
    rows: list[Row] = []
    line = 1
    try:
        for row in reader:
            if row:
                rows.append((line, row))
            line = reader.line_num + 1
            if len(rows) == OPTIONS.sample_rows:
                break
    except csv.Error:  # a cell beyond the limit of the csv module, or a stray character: this delimiter is unlikely
        pass
    return rows


def rows_above(rows: Sequence[Row]) -> int:
    r"""How many of these rows stand above the header: titles of one cell, and comments.

    Example:
        >>> rows_above(cells("Sales of 2024\n# all shops\na,b,c\n1,2,3\n4,5,6\n", ",", '"', None))
        2
    """
    widths = Counter(len(row) for _, row in rows)
    width = max(widths, key=lambda one: (widths[one], one), default=1)
    above = _narrow_above([row for _, row in rows], width)
    if above:
        return above
    for (_, row), (_, below) in pairwise(rows):
        filled = sum(bool(cell.strip()) for cell in row)
        named = len(row) == width and any(number_style([cell.strip()]) for cell in below)  # "#a,b" above its numbers
        comment = row[0].lstrip().startswith(COMMENTS) and not named
        title = width > 1 and len(row) < max(width - 1, 2) and filled <= 1
        if not (comment or title or (width > 2 and filled <= 1)):
            break
        above += 1
    return above if above < min(len(rows) - 1, OPTIONS.rows_above) else 0


def _narrow_above(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many first rows are too narrow for the table, where a header as wide as it follows: titles with delimiters.

    That it is a header shows by the numbers in the rows below it.
    """
    above = next((i for i, row in enumerate(rows) if len(row) == width), 0)
    if not 0 < above < OPTIONS.rows_above or any(len(row) >= width - 1 for row in rows[:above]):
        return 0
    header, below = rows[above], [row for row in rows[above + 1 :] if len(row) == width]
    columns = [[row[i].strip() for row in below if row[i].strip()] for i in range(width)]
    numeric = any(number_style(column or ["x"]) for column in columns)
    bare = not any(number_style([cell.strip()]) for cell in header)
    return above if len(below) > 1 and numeric and bare and is_header(header, below) else 0


def _whole(sample: str, delimiter: str, quote: str, escape: str | None) -> bool:
    """Whether a sample is wholly in this dialect: behind every quote that closes a cell the cell ends.

    Where no backslash stands before a quote, there is nothing to tell.
    """
    if f"\\{quote}" not in sample:
        return True
    reader = csv.reader(
        io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote, escapechar=escape, strict=True
    )
    try:
        return len({len(row) for row in reader if row}) == 1
    except csv.Error:
        return False


class _Fit(NamedTuple):
    """How much rows look like a header and its table; compared in order."""

    as_header: bool  # most rows are as wide as the header, and wider than one cell
    one_more: bool  # most rows are one cell wider than the header
    below: int  # rows that stand above the header, negative
    share: float  # of the rows that are as wide as most
    width: int  # of these, in cells


def _fit(rows: Sequence[Row]) -> _Fit:
    above = rows_above(rows)
    rows = rows[above:]
    widths = Counter(len(row) for _, row in rows[1:]) or Counter(len(row) for _, row in rows) or Counter([1])
    width, count = widths.most_common(1)[0]
    header = len(rows[0][1]) if rows else 1
    share = round(count / max(len(rows) - 1, 1), 2)
    return _Fit(header == width > 1, width == header + 1 > 2, -above, share, width)
