"""Workbooks (xlsx, xlsb, xls, ods): one sheet of them as a table. calamine does the parsing.

A sheet is read as a delimited text is: rows above the header and below the table are left out and named, a first row
that looks like the others is a row. Text stays text (``01`` is not 1), dates are dates. A cell that is merged downwards
stands in each of its rows; a header whose cells are merged sideways has its names in two rows.

Law: no row is left out unsaid.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from autometa.errors import did_you_mean
from autometa.task.cells import label, number_style
from autometa.task.findings import InputFindings
from autometa.task.names import listed, renamed
from autometa.task.options import OPTIONS
from autometa.task.read.archives import ZIP, zip_names
from autometa.task.read.dialect import rows_above
from autometa.task.read.header import is_header, note_above, note_total, shortened
from autometa.task.read.raw import NO_ROWS, Parsed, ReadRequest
from autometa.task.read.values import series_of

_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the first bytes of an OLE document: xls, and what is encrypted
_FAR_COLUMN = re.compile(rb'\br="([A-Z]{2,3})[0-9]')  # of a cell; A to Z are never too many
_FAR_ROW = re.compile(rb'\br="[A-Z]{0,3}([0-9]{4,7})"')  # of a cell or a row; a thousand are never too many

Row = tuple[int, list[Any]]  # its place in the sheet and its cells, None where empty
Range = tuple[tuple[int, int], tuple[int, int]]  # of merged cells: the first and the last place, (row, column)


def is_workbook(data: bytes) -> bool:
    """Whether these are the bytes of a workbook, or of another document of the kind."""
    if data.startswith(_OLD):
        return True
    names = zip_names(data) if data.startswith(ZIP) else []
    return "[Content_Types].xml" in names or ("mimetype" in names and "content.xml" in names)


def read_workbook(data: bytes, findings: InputFindings, request: ReadRequest) -> Parsed | None:
    """The table in a sheet of a workbook; None, with a problem, where there is none."""
    from python_calamine import CalamineError, load_workbook

    try:
        if not _is_bounded(data, findings, request):
            return None
        with load_workbook(io.BytesIO(data)) as book:
            sheet = _sheet(book, findings, request)
            if sheet is None:
                return None
            rows = sheet.to_python(skip_empty_area=False)
            grid = [[None if cell == "" else cell for cell in row] for row in rows]
            merged = sheet.merged_cell_ranges or ()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        findings.refuse(f"a damaged workbook: {error}", "Save it again as xlsx or CSV.")
        return None
    except CalamineError as error:
        protected = "Password" in type(error).__name__ or b"E\0n\0c\0r\0y\0p\0t\0e\0d" in data
        if protected:
            findings.refuse("a workbook protected by a password", "Save it without one.")
        else:
            findings.refuse(f"no workbook that can be read: {error}", "Save it as xlsx or CSV.")
        return None
    except BaseException as error:  # a fault in the parser itself
        if type(error).__name__ != "PanicException":
            raise
        findings.refuse("a damaged workbook", "Save it again as xlsx or CSV.")
        return None
    return _table(grid, merged, findings, request)


def _sheet(book: Any, findings: InputFindings, request: ReadRequest) -> Any:
    """The sheet that is asked for, else the first that is shown and not empty; None, with a problem, if none is."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [one for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    names = [one.name for one in sheets]
    shown = [one.name for one in sheets if one.visible == SheetVisibleEnum.Visible] or names
    asked = None if request.sheet is None else str(request.sheet)
    if asked is not None and asked not in names:
        place = int(asked) if asked.isdecimal() else 0
        if not 0 < place <= len(names):
            known = f"Sheets, counted from 1: {listed(names)}."
            findings.refuse(f"no sheet {asked!r}", f"{did_you_mean(asked, names)} {known}".strip())
            return None
        asked = names[place - 1]
    for name in shown if asked is None else [asked]:
        sheet = book.get_sheet_by_name(name)
        if sheet.total_height:
            if len(names) > 1 and asked is None:
                others = listed([other for other in names if other != name])
                findings.note(f"Sheet {name!r} of {len(names)} is read; --sheet (sheet=...) reads another: {others}.")
            return sheet
    findings.refuse(f"nothing stands in {listed(shown) if asked is None else repr(asked)}", "Rows are needed.")
    return None


def _is_bounded(data: bytes, findings: InputFindings, request: ReadRequest) -> bool:
    """Whether no sheet of an xlsx reaches farther than a table can; with a problem where one does.

    The parser makes room for every cell up to the farthest one, and ends the process where there is none.
    """
    if not data.startswith(ZIP):
        return True
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if not request.limits.allow_size(sum(one.file_size for one in archive.infolist()), findings):
            return False
        for name in archive.namelist():
            if not re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                continue
            cells = archive.read(name)
            columns = max(map(_column_number, set(_FAR_COLUMN.findall(cells))), default=26)
            if 2**20 * columns <= OPTIONS.sheet_cells:  # as many rows as there can be
                continue
            rows = max(map(int, _FAR_ROW.findall(cells)), default=999)
            if rows * columns > OPTIONS.sheet_cells:
                what = f"{name} in it reaches to row {rows:,} and column {columns:,}"
                findings.refuse(what, "Delete what stands far outside of the table, or save the table as CSV.")
                return False
    return True


def _column_number(letters: bytes) -> int:
    """The number of a column by its letters, from 1.

    Example:
        >>> [_column_number(letters) for letters in (b"A", b"Z", b"AA")]
        [1, 26, 27]
    """
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


# --- a sheet as a table -----------------------------------------------------------------------------------------------


def _table(
    grid: list[list[Any]], merged: Sequence[Range], findings: InputFindings, request: ReadRequest
) -> Parsed | None:
    """The table in the cells of a sheet, (rows, columns) from its first cell."""
    filled = [any(cell is not None for cell in column) for column in zip(*grid, strict=True)]
    columns = [i for i, one in enumerate(filled) if one]
    rows = [(i, [row[k] for k in columns]) for i, row in enumerate(grid) if any(cell is not None for cell in row)]
    head = _head(rows, columns, merged, findings, request)
    end = _footer(rows, head.end, findings)
    body = rows[head.end : end]
    if not body:
        findings.refuse(NO_ROWS, "Rows are needed below the header.")
        empty = pd.DataFrame({i: pd.Series(dtype=object) for i in range(len(head.names))})
        return Parsed(renamed(empty, head.names))
    _fill_merged(body, columns, merged, head.names, findings)
    cells = list(zip(*(row for _, row in body), strict=True))
    parts = [series_of(_whole(column)) for column in cells]
    note_total([cell for cell in body[-1][1] if isinstance(cell, str)], findings)
    return Parsed(renamed(pd.concat(parts, axis=1), head.names))


@dataclass(frozen=True, slots=True)
class _SheetHead:
    """What stands above the rows of a sheet."""

    names: Sequence[str]  # (p,)
    end: int  # how many of the rows it takes


def _head(
    rows: Sequence[Row],
    columns: Sequence[int],
    merged: Sequence[Range],
    findings: InputFindings,
    request: ReadRequest,
) -> _SheetHead:
    """The names of the columns, numbered where there is no header; says what stands above them."""
    texts = [(number, [_text(cell) for cell in row]) for number, row in rows[: OPTIONS.sample_rows]]
    narrow = [(number, row[:1] if row[0] and not any(row[1:]) else row) for number, row in texts]
    above = rows_above(narrow)
    titles = [(number + 1, " ".join(filter(None, row))) for number, row in texts[:above]]
    note_above(titles, findings, "Row")
    first, place = texts[above][1], rows[above][0]
    sideways = [a for a in merged if a[0][0] == place and a[1][1] > a[0][1]]
    if sideways and len(texts) > above + 1 and request.header is not False:
        over = list(first)
        for (_, start), (_, stop) in sideways:
            for k, column in enumerate(columns):
                over[k] = first[columns.index(start)] if start in columns and start <= column <= stop else over[k]
        names = [" ".join(filter(None, pair)) for pair in zip(over, texts[above + 1][1], strict=True)]
        findings.note(f"The names of the columns stand in the rows {place + 1} and {place + 2}: {listed(names)}.")
        return _SheetHead(_named(names), above + 2)
    below = [row for _, row in texts[above + 1 :]]
    header = is_header(first, below) if request.header is None else request.header
    if header:
        return _SheetHead(_named(first), above + 1)
    names = [f"column_{i + 1}" for i in range(len(columns))]
    why = "as asked" if request.header is False else "as the first row looks like the others"
    findings.note(
        f"No header, {why} (--header, header=True, makes it one): the columns are {names[0]!r} to {names[-1]!r}."
    )
    return _SheetHead(names, above)


def _named(cells: Sequence[str]) -> list[str]:
    return [cell or f"Unnamed: {i}" for i, cell in enumerate(cells)]


def _footer(rows: Sequence[Row], first: int, findings: InputFindings) -> int:
    """Where the rows end and footers begin: rows of one text below an empty row; says which are left out."""
    gaps = [i for i in range(first + 1, len(rows)) if rows[i][0] > rows[i - 1][0] + 1]
    end = gaps[-1] if gaps else len(rows)
    below = [(number, [cell for cell in row if cell is not None]) for number, row in rows[end:]]
    wide = bool(rows) and len(rows[0][1]) > 1
    notes = all(len(cells) == 1 and isinstance(cells[0], str) and number_style(cells) is None for _, cells in below)
    if not (below and wide and notes and len(below) <= OPTIONS.footer_lines):
        return len(rows)
    for number, cells in below:
        findings.note(f"Row {number + 1} stands below the table and is left out: {shortened(cells[0])}.")
    return end


def _fill_merged(
    body: Sequence[Row], columns: Sequence[int], merged: Sequence[Range], names: Sequence[str], findings: InputFindings
) -> None:
    """Gives each row of cells that are merged downwards their value; says in which columns, and what else is merged."""
    by_number = dict(body)
    filled: dict[str, int] = {}
    for (top, left), (bottom, right) in merged:
        if top not in by_number or left not in columns:
            continue
        if left != right:
            text = shortened(_text(by_number[top][columns.index(left)]))
            findings.note(f"Row {top + 1} has a cell that is merged over columns, {text}: is it a row of the table?")
            continue
        k = columns.index(left)
        for number in range(top + 1, bottom + 1):
            if number in by_number:
                by_number[number][k] = by_number[top][k]
                filled[names[k]] = filled.get(names[k], 0) + 1
    for name, count in filled.items():
        findings.note(f"Column {name!r} has merged cells: each of their rows has their value ({count} cells).")


def _text(cell: Any) -> str:
    """A cell as it would be written in a text."""
    return "" if cell is None else label(cell)


def _whole(cells: Sequence[Any]) -> Sequence[Any]:
    """The cells of a column, numbers as whole ones where a workbook, which has no others, may mean such."""
    found = [cell for cell in cells if isinstance(cell, float)]
    others = any(cell is not None and type(cell) not in (float, int) for cell in cells)
    if not found or not (others or np.array([cell.is_integer() for cell in found]).all()):
        return cells
    return [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells]
