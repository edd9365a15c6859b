"""What is written is read: tables of any cells, dialect, encoding and word for missing, or it is said why not.

WRITTEN_EXAMPLES=20000 pytest tests/test_task_written.py    # as many tables as the budget allows
"""

from __future__ import annotations

import csv
import io
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import read_table, read_task

EXAMPLES = int(os.environ.get("WRITTEN_EXAMPLES", "40"))
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030", "koi8_r", "cp932")
MISSING = ("", "NA", "null", "-999", "k.A.")

plain = st.text("abcXYZ019 .,-_éß", max_size=8)
wild = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=10)
signs = st.sampled_from(['"', ",", ";", "\t", "\n", "\\", "'", "#", "|", "7", "a"])
sharp = st.lists(signs, max_size=6).map("".join)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str | None]], bytes, dict[str, object]]:
    """Cells, the file in which they are written, and what is said of it."""
    p = draw(st.integers(1, 4))
    cell = st.none() | st.one_of(plain, wild, sharp)
    rows = draw(st.lists(st.lists(cell, min_size=p, max_size=p), min_size=1, max_size=12))
    encoding = draw(st.sampled_from(ENCODINGS))
    rows = [[None if c is None else c.encode(encoding, "ignore").decode(encoding) for c in row] for row in rows]
    missing = draw(st.sampled_from(MISSING))
    delimiter = draw(st.sampled_from(",;\t|"))
    file = io.StringIO(newline="")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    names = ["row", *(f"c{i}" for i in range(p))]
    file.write(delimiter.join(names) + end)
    for i, row in enumerate(rows):
        cells = [str(i), *(missing if c is None else '"' + c.replace('"', '""') + '"' for c in row)]
        file.write(delimiter.join(cells) + end)
    said = {"encoding": encoding, "header": True, "na": [missing], "text": names[1:]}
    return rows, file.getvalue().encode(encoding), said


@settings(max_examples=EXAMPLES)
@given(written=tables())
def test_cells_come_back_letter_by_letter_or_it_is_said_why_not(written) -> None:
    rows, data, said = written
    try:
        frame, _ = read_table(data, **said)
    except InputError:
        return
    read = [[None if c is None else c for c in row] for row in frame.iloc[:, 1:].astype(object).to_numpy().tolist()]
    assert read == rows


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
