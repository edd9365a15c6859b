"""Whatever is in a file that is given as a table: a task, or our own error in a sentence, in linear time.

`AUTOMETA_FAULTS=n` damages each format n times in each way; without it, each in a few.
"""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import math
import os
import time
import zipfile
from collections.abc import Callable
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autometa.errors import InputError
from autometa.task import Task, read_table, read_task
from autometa.task.read import apart, limits

from .mutations import OF_TABLES
from .tables import BINARY, formats, outcome

SHARED = Path(__file__).resolve().parents[3] / "shared"
TIMES = int(os.environ.get("AUTOMETA_FAULTS", "0"))
ROWS = b"".join(b"%d,w%d,%s\n" % (i % 17, i % 3, b"xy"[i % 2 : i % 2 + 1]) for i in range(40))


def refused(data: bytes, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_task(data, **options)
    return str(caught.value)


# ----------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", formats())
def test_a_table_struck_by_every_kind_of_damage_is_read_or_refused_in_a_sentence(name):
    content, wrong = formats()[name], []
    assert isinstance(outcome(content), Task)
    kinds = list(OF_TABLES.items())
    if name in BINARY and not TIMES:  # a quarter of a second each
        kinds = kinds[list(formats()).index(name) % 3 :: 3]
    for kind, change in kinds:
        for seed in range(TIMES or (1 if name in BINARY else 2)):
            changed = change(content, np.random.default_rng([seed, len(content)]))
            for options in ({}, {"time_order": "t", "target": "target"}) if seed % 2 == 0 else ({},):
                found = outcome(changed, **options)
                if isinstance(found, str):
                    wrong.append((kind, seed, options, found))
                elif isinstance(found, Task):
                    assert not np.isinf(found.X.select_dtypes("number").to_numpy(np.float64)).any()
    assert wrong == []


@pytest.mark.shared("cases/faults/fuzz")
def test_what_once_crashed_the_reader_does_not():
    for path in sorted((SHARED / "cases/faults/fuzz").glob("*.bin")):
        options = json.loads(path.with_suffix(".json").read_text())["options"]
        assert not isinstance(outcome(path.read_bytes(), **options), str), path.name


@pytest.mark.shared("cases/faults/tables.py")
def test_what_once_raised_a_foreign_error_does_not():
    spec = spec_from_file_location("hostile", SHARED / "cases/faults/tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, (data, options) in module.TABLES.items():
        assert not isinstance(outcome(data, **options), str), name


_CELLS = st.one_of(
    st.text(st.sampled_from("\"'\\,;\t|\r\n\x00=@%#{}[]:.-+ 0159eaäß€\ud7ff\ufeff\u2028\x85\x1b"), max_size=8),
    st.sampled_from(
        ["1", "2.5", "1,5", "NA", "", "x", "y", "2020-01-01", "9999-99-99", "1e400", "9" * 400, "$5", "(3)", "½"]
    ),
)


@given(st.lists(st.lists(_CELLS, min_size=1, max_size=4), min_size=1, max_size=12), st.sampled_from(",;\t| "))
@settings(max_examples=40 * max(TIMES, 1))
def test_any_delimited_text_is_a_table_or_refused(rows, delimiter):
    text = "\n".join(delimiter.join(row) for row in rows * 3)
    assert not isinstance(outcome(text.encode()), str)


_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["\ud800", "1", 2**70]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "\udc00", "target", ""]), _JSON, max_size=4), max_size=8))
@settings(max_examples=40 * max(TIMES, 1))
def test_any_array_of_objects_is_a_table_or_refused(rows):
    assert not isinstance(outcome(json.dumps(rows * 3).encode()), str)


@given(st.lists(_JSON, min_size=1, max_size=4))
@settings(max_examples=40 * max(TIMES, 1))
def test_any_json_is_a_table_or_refused(values):
    assert not isinstance(outcome(json.dumps(values).encode()), str)


# ------------------------------------------------------------------------------------------------------------- limits


def test_an_archive_of_much_more_than_it_seems_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(limits, "RATIO_FROM", 1 << 20)
    bomb = gzip.compress(b"a,target\n" + bytes(1 << 25))  # 32 MiB in 33 kB
    parts = []
    monkeypatch.setattr(
        "autometa.task.read.decode.unpacked",
        lambda more, *rest: limits.unpacked(lambda: parts.append(1) or more(), *rest),
    )
    assert "unpack to more than 300 times as many" in refused(bomb)
    assert len(parts) < 15  # of 33
    zstd = bytes(pa.compress(bytes(1 << 25), codec="zstd", asbytes=True))
    assert "--limits ratio" in refused(zstd)
    assert "empty" in refused(zstd, limits={"ratio": 100_000})


def test_what_is_beyond_a_limit_is_refused_with_the_flag_that_reads_it():
    assert "2,000,001 columns, more than the 100,000 that are read" in refused(b"," * 2_000_000)
    many = refused(b"a,b,target\n" + ROWS * 10, limits={"size": 1000})
    assert "bytes, more than the 1,000 that are read. Is it meant? --limits size=" in many


def test_every_limit_has_a_flag_that_reads_it_all_the_same():
    columns = (
        b",".join(b"c%d" % i for i in range(20))
        + b"\n"
        + (b",".join([b"1", b"2"] * 10) + b"\n" + b",".join([b"2", b"7"] * 10) + b"\n") * 10
    )
    assert "20 columns, more than the 5" in refused(columns, limits={"columns": 5})
    assert read_task(columns, limits={"columns": 20}).p == 19
    cell = b"a,b,target\n" + ROWS + b"1," + b"k" * 999 + b",x\n"
    assert "a cell of 999 bytes in column 'b'" in refused(cell, limits={"cell": 998})
    assert read_task(cell, limits={"cell": 999}).p == 2
    deep = (
        b"["
        + b",".join(
            b'{"a":%s%d%s,"b":%d,"target":"%s"}' % (b"[" * 60, i, b"]" * 60, i % 7, b"xy"[i % 2 : i % 2 + 1])
            for i in range(40)
        )
        + b"]"
    )
    assert "62 deep, more than the 50" in refused(deep)
    assert read_task(deep, limits={"nesting": 62}).n == 40
    assert "[[[[" not in refused(b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]")
    assert (
        read_task(
            b'[{"a":"'
            + b"[" * 500
            + b'","b":1,"target":"x"},{"a":"q","b":2,"target":"y"}'
            + b',{"a":"q","b":3,"target":"y"},{"a":"r","b":2,"target":"x"}' * 9
            + b"]"
        ).n
        == 20
    )


PACKED = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: bytes(pa.compress(content, codec="zstd", asbytes=True)),
}


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", content)
    return out.getvalue()


@pytest.mark.parametrize("kind", [*PACKED, "zip"])
def test_every_way_to_pack_has_the_limits_of_what_it_unpacks_to(kind, monkeypatch):
    monkeypatch.setattr(limits, "RATIO_FROM", 1 << 18)
    pack = PACKED.get(kind, _zipped)
    try:
        assert read_task(pack(b"a,b,target\n" + ROWS)).n == 40
    except InputError as error:
        if "npack it" in str(error):
            pytest.skip(f"{kind} is not read")
        raise
    bomb = b"a,target\n" + b"0" * (1 << 23)
    assert "--limits ratio" in refused(pack(bomb))
    assert "--limits size" in refused(pack(bomb), limits={"size": 1 << 20, "ratio": 10**6})


@pytest.mark.parametrize("form", ["json", "jsonl", "sparse arff"])
def test_few_bytes_that_spell_many_cells_are_refused_before_the_cells_are_made(form):
    """A key of its own in every row: n bytes, n^2 cells."""
    many = 9000
    rows = [b'{"k%d":1,"target":"x"}' % i for i in range(many)]
    names = b"".join(b"@attribute k%d numeric\n" % i for i in range(many))
    data = {
        "json": b"[" + b",".join(rows) + b"]",
        "jsonl": b"\n".join(rows),
        "sparse arff": b"@relation r\n" + names + b"@data\n" + b"{}\n" * many,
    }[form]
    assert "--limits size=" in refused(data, limits={"size": 1 << 27})


def test_unknown_limits_and_impossible_ones_are_named_together(tmp_path, said):
    (tmp_path / "t.csv").write_bytes(b"a,b,target\n" + ROWS)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "t.csv", limits={"colums": 3, "size": 0, "nesting": 1000})
    assert len(caught.value.problems) == 3
    assert "Did you mean 'columns'?" in str(caught.value)
    code, text = said("recommend", tmp_path / "t.csv", "--limits", "columns=2")
    assert code == 2
    assert "3 columns, more than the 2 that are read. Is it meant? --limits columns=3" in text
    assert said("recommend", tmp_path / "t.csv", "--limits", "columns")[0] == 2


def test_a_device_without_an_end_is_not_read_to_its_end():
    assert "more than 5,000,000 bytes" in refused(Path("/dev/zero"), limits={"size": 5_000_000})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- in a process of its own


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "whoever reads it crashes (SIGSEGV)"),
        ("import os; os.abort()", "whoever reads it crashes (SIGABRT)"),
        ("import time; time.sleep(600)", "takes longer than 2 s"),
        ("import os; os._exit(7)", "exit code 7"),
        ("", "exit code 0"),
    ],
)
def test_a_reader_that_crashes_or_hangs_costs_a_sentence(program, said, monkeypatch, tmp_path):
    (tmp_path / "worker.py").write_text(program)
    monkeypatch.setattr(apart, "__file__", str(tmp_path / "apart.py"))
    monkeypatch.setattr(apart, "OPTIONS", apart.OPTIONS.__class__(apart_seconds=2))
    assert said in refused(formats()["parquet"])


def test_a_reader_that_takes_all_memory_costs_a_sentence(monkeypatch):
    """A dictionary of one long word, 2,000 times: 30 kB that become 2 GB."""
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["k" * 1_000_000]))
    data = _parquet(pa.table({"a": words.cast(pa.string()), "target": ["x", "y"] * 1000}))
    assert len(data) < 200_000
    monkeypatch.setattr(apart, "OPTIONS", apart.OPTIONS.__class__(apart_bytes=1 << 29))
    text = refused(data, limits={"size": 1 << 24})
    assert "takes more memory" in text or "--limits size" in text or "crashes" in text


def test_types_within_types_and_too_many_columns_are_refused_where_they_are_read():
    kind, value = pa.int64(), 1
    for _ in range(25):
        kind, value = pa.list_(kind), [value]
    deep = _parquet(pa.table({"a": pa.array([value] * 20, kind), "target": ["x", "y"] * 10}))
    assert "types within one another" in refused(deep, limits={"nesting": 20})
    wide = _parquet(pa.table({f"c{i}": [1.0, 2.0] for i in range(40)}))
    assert "40 columns, more than the 30" in refused(wide, limits={"columns": 30})


def test_what_is_read_apart_is_what_was_written():
    """Every type that a frame can have, its index, names that are twice there or none, no rows."""
    table = pa.table(
        {
            "when": pa.array([1, None, 3], pa.timestamp("ns")),
            "clock": pa.array([1, 2, None], pa.time32("s")),
            "price": pa.array([Decimal(1), None, Decimal(2)], pa.decimal128(5, 2)),
            "kind": pa.array(["u", None, "v"]).dictionary_encode(),
            "list": pa.array([[1], None, []], pa.list_(pa.int64())),
            "flag": pa.array([True, False, None]),
        }
    )
    frame, _ = read_table(_parquet(table))
    assert [cell[:8] for cell in frame["clock"].tolist()[:2]] == ["00:00:01", "00:00:02"]
    assert frame["price"].tolist()[::2] == [1.0, 2.0]
    assert isinstance(frame["kind"].dtype, pd.CategoricalDtype)
    assert frame["when"].tolist()[0] == pd.Timestamp(1)
    assert list(frame) == table.column_names
    indexed = io.BytesIO()
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=pd.Index([7, 8], name="key")).to_parquet(indexed)
    assert list(read_table(indexed.getvalue())[0]) == ["a", "b", "key"]
    assert "a header without rows" in refused(_parquet(table.slice(0, 0)))
    assert "no columns" in refused(_parquet(pa.table({})))


def test_years_that_no_date_has_are_missing():
    huge = pa.table(
        {"t": pa.array([1, 2, 10**15] * 10, pa.timestamp("s")), "a": list(range(30)), "target": ["x", "y"] * 15}
    )
    out = io.BytesIO()
    pa.feather.write_feather(huge, out)
    assert not isinstance(outcome(out.getvalue()), str)


def test_the_process_that_reads_ends_with_whoever_asked(alive, tmp_path):
    """Nothing is left of it: not after a reading, nor where the one that asked is killed."""
    import psutil

    me = psutil.Process()
    before = {child.pid for child in me.children()}
    read_table(formats()["parquet"])
    assert {child.pid for child in me.children()} == before


# ----------------------------------------------------------------------------------------------------------- growth


def _csv(cell: Callable[[int], bytes], rows: int = 40) -> bytes:
    return b"a,b,target\n" + b"".join(b"%d,%s,%s\n" % (i % 17, cell(i), b"xy"[i % 2 : i % 2 + 1]) for i in range(rows))


def _one(cell: bytes) -> bytes:
    return _csv(lambda i: b"w%d" % (i % 3)) + b"1," + cell + b",x\n"


GROWING: dict[str, tuple[int, Callable[[int], bytes]]] = {  # how many at first, and the table
    "rows": (10_000, lambda n: _csv(lambda i: b"w%d" % (i % 9), n)),
    "columns": (
        600,
        lambda n: b"\n".join(b",".join(b"%s%d" % (b"" if k else b"c", i * k % 7) for i in range(n)) for k in range(9)),
    ),
    "categories": (3_000, lambda n: _csv(lambda i: b"w%d" % i, n)),
    "texts": (5_000, lambda n: _csv(lambda i: b"the word %d is %d here" % (i, i * 7), n)),
    "numbers with a unit": (1_500, lambda n: _csv(lambda i: b"%d kg" % i, n)),
    "letters of a cell": (300_000, lambda n: _one(b"k" * n)),
    "digits of a cell": (300_000, lambda n: _one(b"9" * n)),
    "quotes of a cell": (300_000, lambda n: _one(b'"' * n)),
    "escapes of a cell": (100_000, lambda n: _one(b'"' + b'\\"' * n + b'"')),
    "thousands of a cell": (100_000, lambda n: _one(b"1" + b" 000" * n)),
    "lines of a cell": (30_000, lambda n: _one(b'"' + b"z\n" * n + b'"')),
    "commas in a line": (2_000, lambda n: b"," * n),
    "lines of commas": (50_000, lambda n: b",,,\n" * n),
    "letters beyond ASCII": (8_000, lambda n: _one(b"\xe4" * n)),
    "letters before one beyond ASCII": (50_000, lambda n: _one(b"k" * n) + b"1,\xe4,x\n"),
    "blank lines of ARFF": (
        5_000,
        lambda n: (
            b"@relation r\n" + b"\n" * n + b"@attribute a numeric\n@attribute t {x,y}\n@data\n" + b"1,x\n2,y\n" * 9
        ),
    ),
    "comments": (20_000, lambda n: b"# c\n" * n + _csv(lambda i: b"q")),
    "footers": (20_000, lambda n: _csv(lambda i: b"q") + b"\nfoot" * n),
    "keys": (
        600,
        lambda n: (
            b"["
            + b",".join(b"{" + b",".join(b'"k%d":%d' % (i, i * j % 7) for i in range(n)) + b"}" for j in range(9))
            + b"]"
        ),
    ),
    "brackets": (300_000, lambda n: b'[{"a":"' + b"[" * n + b'"}]'),
    "attributes": (
        600,
        lambda n: (
            b"@relation r\n"
            + b"".join(b"@attribute a%d numeric\n" % i for i in range(n))
            + b"@data\n"
            + (b"1," * (n - 1) + b"2\n") * 9
        ),
    ),
    "values": (
        5_000,
        lambda n: (
            b"@relation r\n@attribute a {"
            + b",".join(b"v%d" % i for i in range(n))
            + b"}\n@attribute b {x,y}\n@data\n"
            + b"v1,x\nv2,y\n" * 9
        ),
    ),
}


@pytest.mark.parametrize("what", GROWING)
def test_eight_times_as_much_takes_about_eight_times_as_long(what):
    """CPU seconds of this process, the least of up to five: a loop over pairs would take 64 times as long."""
    n, table = GROWING[what]
    tables = {size: table(size) for size in (n, 8 * n)}
    least = dict.fromkeys(tables, math.inf)

    def measure() -> bool:
        for size, data in tables.items():
            gc.collect()
            gc.disable()  # what it goes through is what all tests before left
            start = time.process_time()
            told = outcome(data, limits={"columns": 10**6})
            least[size] = min(least[size], time.process_time() - start)
            gc.enable()
            assert not isinstance(told, str)
        return least[8 * n] < 24 * least[n]

    assert any(measure() for _ in range(5)), least
