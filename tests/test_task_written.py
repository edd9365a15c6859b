"""What is written is read: tables of any cells, dialect, encoding and word for missing, or it is said why not.

WRITTEN_TABLES=1000000 pytest tests/test_task_written.py    # more than CI has time for
"""

from __future__ import annotations

import csv
import os
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.task import read_task
from autometa.task.read import ReadRequest, raw_table

EXAMPLES = 40
TABLES = int(os.environ.get("WRITTEN_TABLES", "20000"))
BATCH = 250  # tables of one example: a seed that Hypothesis draws, and shrinks to the table that fails

# --- letters ----------------------------------------------------------------------------------------------------------

LETTERS = {  # encoding -> letters beyond ASCII that it has
    "utf-8": "äßéłğж城東서ก🙂\u00a0",
    "utf-8-sig": "äßéłğж城東서ก🙂",
    "utf-16": "äßéłğж城東서ก🙂",
    "utf-16-le": "äßéłğж城",
    "cp1252": "äßéñœ€“”",
    "latin-1": "äßéñ",
    "cp1250": "łśčěőž",
    "cp1251": "жёблаг",
    "koi8_r": "жёблаг",
    "gb18030": "城市结果北京",
    "big5": "臺北結果",
    "cp932": "東京はいいえ",
    "cp949": "서울부산예",
    "cp1254": "ğışİ",
}
SIGNS = ['"', '""', ",", ";", "\t", "|", "\n", "\r\n", "\\", "\\\\", "'", "#", "//", "%", " ", "  ", "=", "-", "."]
WORDS = [
    "a",
    "B",
    "yes",
    "No",
    "TRUE",
    "0",
    "1",
    "01",
    "1.0",
    "-5",
    "3,5",
    "1.234",
    "1e5",
    "NA",
    "null",
    "None",
    "?",
    "inf",
]
WORDS += ["2024-01-31", "31.01.2024", "12:30", "$5", "5 kg", "(7)", "nan", "x" * 40, "C:\\new\\", "a,b;c", "Total"]
MISSING = ("", "NA", "null", "-999", "k.A.", "\\N", "#N/A", "NaN", "?")


@dataclass(frozen=True)
class Written:
    """A table, the file in which it is written, and what is said of it."""

    rows: list[list[str | None]]  # the cells as they are to come back, None where missing
    data: bytes
    names: list[str]  # of the columns but the first, which counts the rows
    encoding: str
    missing: str


def table(random: random.Random) -> Written:
    """A table of any cells in any dialect."""
    p, n = random.randint(1, 4), random.randint(3, 8)
    encoding = random.choice(list(LETTERS))
    delimiter, end, missing = random.choice(",;\t|"), random.choice(("\n", "\r\n")), random.choice(MISSING)
    rows = [[cell(random, LETTERS[encoding]) for _ in range(p)] for _ in range(n)]
    always = random.random() < 0.5  # whether every text has quotes
    names = ["row", *(random.choice(("c", "größe ", "a b", "x;", 'q"')) + str(i) for i in range(p))]
    names = [name.encode(encoding, "ignore").decode(encoding).strip() for name in names]
    lines = [delimiter.join(quoted(name, delimiter) for name in names)]
    for i, row in enumerate(rows):
        lines.append(
            delimiter.join([str(i), *(missing if c is None else quoted(c, delimiter, missing, always) for c in row)])
        )
    text = end.join(lines) + random.choice(("", end))
    return Written(rows, text.encode(encoding), names[1:], encoding, missing)


def cell(random: random.Random, letters: str) -> str | None:
    """The text of a cell: a word, signs that mean something in some dialect, letters of the encoding; or nothing."""
    kind = random.random()
    if kind < 0.1:
        return None
    if kind < 0.4:
        return random.choice(WORDS)
    parts = random.choices([*SIGNS, *letters, "a", "7"], k=random.randint(0, 6))
    return "".join(parts)


def quoted(text: str, delimiter: str, missing: str = "", always: bool = True) -> str:
    """A text as RFC 4180 has it; quotes only where they are needed, unless `always`."""
    plain = (
        text.strip() == text and text not in ("", missing) and not set(text) & {delimiter, '"', "'", "\n", "\r", "\\"}
    )
    return text if plain and not always else '"' + text.replace('"', '""') + '"'


def check(written: Written, seen: Counter[str]) -> None:
    """Reads a table and compares; or looks whether the message names what is wrong."""
    found = raw_table(written.data, ReadRequest(encoding=written.encoding, header=True, na=(written.missing,)))
    if found.findings.problems or found.frame is None or found.written is None:
        message = "; ".join(map(str, found.findings.problems))
        assert any(word in message for word in ("line ", "rows", "quote", "column")), message
        seen["refused"] += 1
        return
    assert found.frame.columns[1:].tolist() == written.names
    columns = [found.written(name, None).tolist() for name in written.names]
    assert [list(row) for row in zip(*columns, strict=True)] == written.rows
    seen["equal"] += 1


@pytest.mark.parametrize("quarter", range(4))
def test_cells_of_twenty_thousand_tables_come_back_letter_by_letter_or_it_is_said_why_not(quarter: int) -> None:
    seen: Counter[str] = Counter()
    tables = TABLES // 4

    @settings(max_examples=max(tables // BATCH, 1))
    @given(st.integers(0, 2**30))
    def batch(seed: int) -> None:
        own = random.Random(4 * seed + quarter)
        for _ in range(BATCH):
            check(table(own), seen)

    batch()
    assert sum(seen.values()) >= tables // BATCH * BATCH
    assert seen["refused"] < 0.02 * tables


# --- meanings ---------------------------------------------------------------------------------------------------------

STYLES = {
    (".", ","): lambda v: f"{v}",
    (",", ";"): lambda v: f"{v}".replace(".", ","),
    (",", "\t"): lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    (".", "|"): lambda v: f"{v:,.2f}",
    (",", "|"): lambda v: f"{v:,.2f}".translate(str.maketrans(",.", "\u202f,")),
}
PATTERNS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S")


@settings(max_examples=EXAMPLES)
@given(
    style=st.sampled_from(sorted(STYLES)),
    pattern=st.sampled_from(PATTERNS),
    encoding=st.sampled_from(("utf-8", "utf-16", "latin-1", "gb18030")),
    word=st.sampled_from(("", "NA", "-", "k.A.", "?")),
    labels=st.sampled_from(
        (["01", "02", "10"], ["a ", " b"], [-1, 0, 1], ["NA", "EU"], [2**60, 2**60 + 1], [1.5, 2.5])
    ),
    values=st.lists(st.integers(-(10**7), 10**7), min_size=40, max_size=60, unique=True),
    gaps=st.sets(st.integers(0, 39), max_size=8),
)
def test_numbers_dates_words_and_labels_mean_what_they_meant(
    style, pattern, encoding, word, labels, values, gaps
) -> None:
    write, (_, delimiter), n = STYLES[style], style, len(values)
    numbers = [value / 100 + 0.001 * (style[1] == ";") for value in values]
    days = [date(2024, 12, 31) + timedelta(days=i * 37) for i in range(n)]
    towns = ["Zürich", "Köln", "Ulm", "Genève"] if encoding != "gb18030" else ["北京", "上海", "广州", "成都"]
    lines = []
    for i in range(n):
        number = word if i in gaps else write(numbers[i])
        day = word if i in gaps else days[i].strftime(pattern)
        label = labels[i % len(labels)]
        quoted = f'"{label}"' if isinstance(label, str) else str(label)
        lines.append(delimiter.join([number, day, towns[i % 4], quoted]))
    text = delimiter.join(["amount", "day", "town", "y"]) + "\n" + "\n".join(lines) + "\n"
    blank = "\u00a0" if encoding == "latin-1" else "\u202f"  # the thin one is not in every encoding
    task = read_task(text.replace("\u202f", blank).encode(encoding), kind="classification")
    expected = [np.nan if i in gaps else number for i, number in enumerate(numbers)]
    np.testing.assert_allclose(task.X["amount"], expected, rtol=1e-9)
    known = [i for i in range(n) if i not in gaps]
    assert [task.X["day.month"][i] for i in known] == [days[i].month for i in known]
    assert task.X["town"].tolist() == [towns[i % 4] for i in range(n)]
    assert [task.classes[k] for k in task.y] == [labels[i % len(labels)] for i in range(n)]


@pytest.mark.shared("data")
@pytest.mark.parametrize("name", ["Australian", "MiceProtein", "Moneyball"])
def test_a_real_table_reads_equal_in_five_dialects(name: str) -> None:
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "tabular" / f"{name}.parquet"
    frame = pd.read_parquet(path).head(500)
    expected = read_task(frame).fingerprint
    for options in ({}, {"sep": ";", "decimal": ","}, {"sep": "\t"}, {"sep": "|", "quoting": csv.QUOTE_ALL}):
        assert read_task(frame.to_csv(index=False, **options).encode()).fingerprint == expected
    assert read_task(frame.to_csv(index=False, lineterminator="\r\n").encode("utf-16")).fingerprint == expected
