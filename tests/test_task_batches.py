"""Promises of tables that are read part by part: the parts are the table that is read in one piece, cell by cell."""

from __future__ import annotations

import bz2
import dataclasses
import gc
import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autometa.errors import InputError
from autometa.task import read_table
from autometa.task.findings import InputFindings
from autometa.task.read import batches as room
from autometa.task.read import large, raw_table, survey
from autometa.task.read.batches import Batches, batches
from autometa.task.read.large import read_large
from autometa.task.read.raw import AS_IT_IS

COLUMNS: dict[str, Callable[[int, int, random.Random], str]] = {  # a row of so many -> its cell
    "int": lambda i, n, rng: str(rng.randint(-50, 50)),
    "float": lambda i, n, rng: f"{rng.gauss(0, 1):.3f}",
    "float_late": lambda i, n, rng: f"{i}" if i < 0.8 * n else f"{i}.5",
    "long": lambda i, n, rng: str(2**53 + rng.randint(0, 9)),
    "long_late": lambda i, n, rng: ("" if i == 2 else str(i)) if i < 0.9 * n else str(2**53 + i),
    "huge_late": lambda i, n, rng: str(i if i < 0.7 * n else 10**22 + i),
    "word": lambda i, n, rng: rng.choice(["a", "b", "ä"]),
    "word_late": lambda i, n, rng: str(i % 4) if i < 0.9 * n else "x",
    "truth": lambda i, n, rng: rng.choice(["true", "false"]),
    "truth_gaps": lambda i, n, rng: rng.choice(["true", "false", ""]) if 2 * i > n else "true",
    "truth_late": lambda i, n, rng: str(i % 2) if i < 0.7 * n else "true",
    "date": lambda i, n, rng: f"2024-0{1 + i % 9}-1{i % 10}",
    "date_late": lambda i, n, rng: "2024-01-01" if i < 0.9 * n else "2024-01-01 10:00:00",
    "stamp": lambda i, n, rng: f"2024-0{1 + i % 9}-11 10:00:0{i % 10}",
    "zone": lambda i, n, rng: f"2024-0{1 + i % 9}-11T10:00:00+02:00",
    "clock": lambda i, n, rng: f"10:0{i % 10}:00",
    "hexadecimal": lambda i, n, rng: "0x1" if i == n - 3 else str(i),
    "hexadecimal_early": lambda i, n, rng: "0x1" if i == 2 else str(i) if i < 0.6 * n else f"{i}.5",
    "minus_zero_early": lambda i, n, rng: ("-0", "0", "")[i % 3] if i < 0.6 * n else f"{i}.5",
    "power": lambda i, n, rng: f"{i % 10}E{i % 3}",
    "power_late": lambda i, n, rng: f"{i % 10}.0" if i < 0.9 * n else "1E2",
    "gaps": lambda i, n, rng: rng.choice(["", "NA", "1", "2"]),
    "nothing": lambda i, n, rng: "",
    "quoted": lambda i, n, rng: f'"a, {i}"',
    "lines": lambda i, n, rng: f'"a\nb{i}"' if i % 7 == 0 else "z",
    "quotes": lambda i, n, rng: f'"say ""{i}"""',
    "comma": lambda i, n, rng: f'"{i},5"',
    "thousands": lambda i, n, rng: rng.choice(["1.020", "12.500", "800", "7"]),
    "quoted_na": lambda i, n, rng: rng.choice(['"NA"', "NA", "u", "v"]),
    "return": lambda i, n, rng: '"a\rb"' if i == n - 2 else "c",
    "blanks": lambda i, n, rng: f" {i} ",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few hundred bytes."""
    for one in (room, survey, large):
        monkeypatch.setattr(one, "OPTIONS", dataclasses.replace(room.OPTIONS, batch_bytes=400, batched_from_bytes=0))


def text_of(seed: int) -> bytes:
    """A delimited text with a few columns of any kind, and now and then something odd about its lines."""
    rng = random.Random(seed)
    n, kinds = rng.randint(5, 120), rng.choices(list(COLUMNS), k=rng.randint(1, 6))
    rows = [[COLUMNS[kind](i, n, rng) for kind in kinds] for i in range(n)]
    delimiter, end = rng.choice(",,;\t"), rng.choice(["\n", "\n", "\r\n"])
    lines = [delimiter.join(row) for row in rows]
    odd = rng.randrange(12)
    if odd == 0:
        lines[rng.randrange(n)] += delimiter + "one more"
    if odd == 1:
        lines += ["", "Source: a survey"]
    if odd == 2:
        lines.insert(rng.randrange(n), "")
    header = delimiter.join(f"{kind}_{i}" for i, kind in enumerate(kinds))
    return (header + end + end.join(lines) + rng.choice([end, ""])).encode(rng.choice(["utf-8", "utf-8", "utf-8-sig"]))


def joined(table: Batches) -> pd.DataFrame:
    return pd.concat(list(table), ignore_index=True)


def assert_alike(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """The same cells, in the same dtypes."""
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("block", range(8))
def test_the_parts_of_a_text_are_the_table_that_is_read_in_one_piece(small: None, block: int) -> None:
    parted = 0
    for seed in range(block * 40, block * 40 + 40):
        text = text_of(seed)
        table = batches(io.BytesIO(text), rows=7 + seed % 50)
        if not isinstance(table, Batches):  # read in one piece, which says what is wrong if anything is
            continue
        parted += 1
        whole, _ = read_table(text)
        assert table.rows == len(whole)
        assert_alike(joined(table), whole)
        assert_alike(joined(table), whole)  # as often as they are asked for
        sizes = {len(part) for part in list(table)[:-1]}
        assert sizes <= {7 + seed % 50}
        written = [name for name in whole if seed % 3 == 0]
        table = batches(io.BytesIO(text), rows=50, text=written)
        assert isinstance(table, Batches)
        assert_alike(joined(table), read_table(text, text=written)[0])
    assert parted >= 12


def test_a_large_text_is_one_table_without_being_in_memory_at_once(small: None, tmp_path: Path) -> None:
    by_parts, known = 0, {file.name for file in Path("/proc/self/fd").glob("*")} if Path("/proc").exists() else set()
    for seed in range(320, 420):
        text = text_of(seed)
        path = tmp_path / ("t.csv.gz" if seed % 5 == 0 else "t.csv")
        path.write_bytes(gzip.compress(text) if seed % 5 == 0 else text)
        findings = InputFindings()
        by_parts += read_large(path, findings, AS_IT_IS) is not None
        parts, whole = raw_table(path), raw_table(text)
        assert parts.findings.notes == whole.findings.notes
        assert [one.what for one in parts.findings.problems] == [one.what for one in whole.findings.problems]
        assert parts.decimal == whole.decimal
        if whole.frame is None or whole.findings.problems:
            continue
        assert_alike(parts.frame, whole.frame)
        assert_alike(parts.as_written(list(whole.frame)), whole.as_written(list(whole.frame)))
        for name in whole.frame:
            pd.testing.assert_series_equal(parts.bare(name), whole.bare(name))
            pd.testing.assert_series_equal(parts.target_of(name), whole.target_of(name))
            if whole.frame[name].dtype == "str" and not whole.frame[name].hasnans:  # then nobody asks the text again
                assert whole.written(name, None).tolist() == whole.frame[name].tolist()
    assert by_parts >= 24
    if known:  # whoever has read has closed
        del parts, whole
        gc.collect()
        assert len({file.name for file in Path("/proc/self/fd").glob("*")}) <= len(known) + 1


def test_a_large_text_is_parsed_once_where_its_parts_tell_one_type(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    plain = survey.Body.parse
    monkeypatch.setattr(survey.Body, "parse", lambda body, *how: parsed.append(len(body.data)) or plain(body, *how))
    for cell, times in (("{i}", 1), ("{i}.5", 1), ("w{i}", 1), ("0x1", 3), ("2024-01-01T10:00:00Z", 3)):
        text = "a,b\n" + "".join(f"{i},{cell.format(i=i)}\n" for i in range(300))
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        parsed.clear()
        table = raw_table(tmp_path / "t.csv")
        assert sum(parsed) == times * (len(text) - 4)
        assert_alike(table.frame, raw_table(text.encode()).frame)


def test_columns_of_parquet_are_those_that_are_read_in_one_piece(small: None, tmp_path: Path) -> None:
    n = 500
    table = pa.table({
        "gap": pa.array([None if k == 400 else k for k in range(n)]),
        "short": pa.array(range(n), pa.int16()),
        "long": pa.array([None if k == 3 else 2**53 + k for k in range(n)]),
        "huge": pa.array([None if k == 7 else 2**63 + k for k in range(n)], pa.uint64()),
        "truth": pa.array([None if k == 499 else bool(k % 2) for k in range(n)]),
        "whole": pa.array([bool(k % 2) for k in range(n)]),
        "single": pa.array(np.arange(n) / 7, pa.float32()),
        "word": pa.array(["x" if k % 3 else None for k in range(n)]),
        "when": pa.array(pd.date_range("2024-01-01", periods=n)),
        "coded": pa.array(["u", "v", "w", "x", "y"] * 100).dictionary_encode(),
        "nothing": pa.nulls(n),
        "money": pa.array([k / 4 for k in range(n)]).cast(pa.decimal128(10, 2)),
        "clock": pa.array([k * 1000 for k in range(n)], pa.time64("us")),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=120)
    parts = batches(tmp_path / "t.parquet", rows=64)
    assert (parts.rows, parts.names, parts.dated) == (n, table.column_names, {"when", "clock"})
    assert_alike(joined(parts), read_table(tmp_path / "t.parquet")[0])
    assert [len(part) for part in parts] == [64] * 7 + [52]


def test_parquet_that_is_damaged_further_down_is_refused_there(small: None, tmp_path: Path) -> None:
    words = [f"the word number {i % 97} of {i % 13}" for i in range(5000)]
    pd.DataFrame({"a": words, "b": words[::-1]}).to_parquet(tmp_path / "t.parquet", row_group_size=1000)
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    middle = len(content) * 3 // 4
    content[middle : middle + 900] = b"\x07" * 900
    (tmp_path / "t.parquet").write_bytes(content)
    seen = []
    with pytest.raises(InputError, match=r"t\.parquet: damaged parquet data"):
        seen.extend(map(len, batches(tmp_path / "t.parquet", rows=500)))
    assert sum(seen) < 5000
    reading = iter(batches(tmp_path / "t.parquet", rows=500))
    next(reading)
    reading.close()  # whoever stops half-way leaves no process behind


def test_what_is_packed_or_comes_from_a_pipe_is_read_part_by_part(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"town,price\n" + b"Ulm,1\n" * 90 + b"Bern,2.5\n"
    whole, _ = read_table(text)
    for name, packed in (("t.csv", text), ("t.csv.gz", gzip.compress(text)), ("t.csv.bz2", bz2.compress(text))):
        (tmp_path / name).write_bytes(packed)
        assert_alike(joined(batches(tmp_path / name, rows=20)), whole)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(packed)))
        assert_alike(joined(batches("-", rows=20)), whole)


def test_what_is_read_in_one_piece_is_not_lost_on_the_way(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ragged = b"a,b\n" + b"1,2\n" * 200 + b"1,2,3\n"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(ragged)))
    given = batches("-", rows=20)
    assert not isinstance(given, Batches)
    with pytest.raises(InputError, match=r"standard input: 1 row has another number of cells .* line 202 has 3"):
        read_table(given)
    (tmp_path / "t.csv").write_bytes(ragged)
    assert batches(tmp_path / "t.csv", rows=20) == tmp_path / "t.csv"
    for other in ([tmp_path / "t.csv"] * 2, tmp_path, "nowhere.csv", pd.DataFrame({"a": [1]}), b"a,b\n1,2\n"):
        assert batches(other, rows=20) is other
