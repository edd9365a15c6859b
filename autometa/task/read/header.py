"""What stands around the rows of a text table: titles and comments above, the header or none, footers below.

A first line is no header when it looks like the rows below it: a number wherever they have numbers, or their own words
in columns of words. The names of years, or of a count, are names. A line below the table that has one cell and is no
number, under rows of more, is a footer.

Law: no line is left out unsaid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from autometa.task.cells import MISSING_TEXTS, number_style, spelled_numbers
from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS

_TOTAL = re.compile(
    r"(grand )?total|sums?|summe|gesamt|insgesamt|somme|totale|suma|итого|всего|合计|合計", re.IGNORECASE
)


COMMENTS = ("#", "%", "//")  # how a line above a header, or below the rows, says that it is neither
_RULE = re.compile(r"[-=_ ]*[-=_]{2,}[-=_ ]*")


def is_rule(row: Sequence[str]) -> bool:
    """Whether a line below a header does nothing but underline it: --- or === in every cell.

    Example:
        >>> is_rule(["---", "--------"]), is_rule(["-", "5"]), is_rule(["-"])
        (True, False, False)
    """
    return len(row) > 0 and all(_RULE.fullmatch(cell.strip()) for cell in row)


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:  # (p,), (rows of a sample, p)
    """Whether the first row of a table names its columns, or is one of its rows.

    Example:
        >>> is_header(["width", "kind"], [["5.1", "a"]] * 5), is_header(["4.9", "b"], [["5.1", "a"], ["4.7", "b"]])
        (True, False)
    """
    rows = [row for row in rows if len(row) == len(first)]
    if len(rows) < 2 or not first[0].strip():  # an index that pandas or R wrote has no name
        return True
    numeric, spelled, words, repeated, few, known = 0, [], 0, 0, 0, 0
    for name, *below in zip(first, *rows, strict=True):
        texts = [cell.strip() for cell in below if cell.strip() not in MISSING_TEXTS]
        name = name.strip()
        if texts and number_style(texts) is not None:
            numeric += 1
            if name in MISSING_TEXTS:
                continue
            if number_style([name]) is None:
                return True
            spelled.append(name)
        elif texts:
            words += 1
            repeated += name in texts
            if 2 * len(set(texts)) <= len(texts):  # categories: are its own words all that the first line has?
                few += 1
                known += name in texts
    if numeric:
        return not spelled or (_are_names(spelled) and not repeated)
    return repeated < max(2, OPTIONS.header_words * words) and not (0 < few == known and words > few)


def _are_names(numbers: Sequence[str]) -> bool:
    """Whether numbers in a first line are names all the same: years, or whole numbers with equal steps."""
    if len(set(numbers)) < len(numbers):
        return False
    values = spelled_numbers(numbers, "point")
    if not all(number.isdigit() for number in numbers):
        return False
    years = ((values >= OPTIONS.years[0]) & (values <= OPTIONS.years[1])).all()
    steps = set(np.diff(values).tolist())
    counted = len(steps) == 1 and (len(values) > 2 or (steps == {1.0} and values[0] in (0, 1)))
    return bool(years or counted)


def note_above(lines: Sequence[tuple[int, str]], findings: InputFindings, noun: str = "Line") -> None:
    """Says which lines above the header are left out: their numbers and texts."""
    for number, text in lines:
        findings.note(f"{noun} {number} stands above the header and is left out: {shortened(text)}.")


def footer(body: bytes, delimiter: str, quote: str, width: int) -> tuple[int, list[str]]:
    r"""Where the rows end and footers begin, in bytes of the body, and the footers.

    Example:
        >>> footer(b"1,2\n3,4\n\nSource: survey of 2024\n", ",", '"', 2)
        (9, ['Source: survey of 2024'])
    """
    end = len(body)
    found: list[str] = []
    while width > 1 and len(found) <= OPTIONS.footer_lines:
        last = body[:end].rstrip(b" \t\r\n" if delimiter == "," else b"\r\n")
        start = last.rfind(b"\n") + 1
        text = last[start:].decode("utf-8", "replace").strip()
        cell = text.strip(f"{quote} ")
        comment = text.startswith(COMMENTS) and text.count(delimiter) != width - 1
        single = comment or delimiter not in text or not text.partition(delimiter)[2].strip(delimiter + " ")
        if start == 0 or not cell or not single or number_style([cell.split(delimiter)[0]]) is not None:
            break
        padded = (
            delimiter in text and not comment
        )  # a row whose other cells are empty is a row, unless a blank line is above it
        blank = body[:start].rstrip(b" \t\r").endswith((b"\n\n", b"\n\r\n", b"\n" + delimiter.encode()))
        if (padded and not blank) or text.count(quote) % 2:  # odd: the end of a cell that spans lines
            break
        found.append(text)
        end = start
    return (end, found[::-1]) if len(found) <= OPTIONS.footer_lines else (len(body), [])


def note_footer(texts: Sequence[str], first_line: int, findings: InputFindings) -> None:
    """Says which lines below the table are left out, the first of them at this line."""
    for i, text in enumerate(texts):
        findings.note(f"Line {first_line + i} stands below the table and is left out: {shortened(text)}.")


def note_total(last: Sequence[str], findings: InputFindings) -> None:
    """Says that the last row looks like a sum of the others."""
    word = next((cell.strip() for cell in last if _TOTAL.fullmatch(cell.strip())), None)
    if word is not None:
        findings.note(f"The last row says {word!r}: if it is a sum of the others, take it out.")


def shortened(text: str) -> str:
    """A line for a sentence."""
    return repr(text if len(text) <= OPTIONS.letters_shown else text[: OPTIONS.letters_shown] + "…")
