"""The process that reads what can crash or exhaust whoever reads it: PyArrow alone, under a cap.

`apart` starts this file as a program, without the package: PyArrow takes a tenth of a second to import, pandas ten. It
checks every offset and letter of what was read, takes what need not be kept apart, and hands on a clean table.

Law: whatever is in the file, there is one line of JSON at the end, in which ``damaged`` or ``beyond`` say why there is
no table, or this process has died.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any


def main(arguments: str) -> None:
    """Reads the file behind one descriptor, and writes the table to another as a stream of Arrow."""
    asked = json.loads(arguments)
    sys.path[:] = asked["path"]
    _limit(asked["memory"], asked["seconds"], asked["parent"])
    try:
        answer = {"read": _read, "survey": _survey, "stream": _stream}[asked["does"]](asked)
    except MemoryError:
        answer = {"beyond": "memory"}
    except Exception as error:  # noqa: BLE001 - what is wrong with a stranger's file can be anything
        answer = {"damaged": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    import pyarrow as pa

    limits = asked["limits"]
    table = _READERS[asked["format"]](pa.PythonFile(os.fdopen(asked["source"], "rb"), mode="r"), asked)
    if isinstance(table, dict):
        return table
    for name, value in (("columns", table.num_columns), ("nesting", max(map(_depth, table.schema.types), default=0))):
        if value > limits[name]:
            return {"beyond": name, "value": value}
    size = max(table.nbytes, 8 * table.num_rows * table.num_columns)
    if size > limits["size"]:
        return {"beyond": "size", "value": size}
    table.validate(full=True)
    names, columns = table.column_names, []
    for name, column in zip(names, table.columns, strict=True):
        longest = _longest(column)
        if longest > limits["cell"]:
            return {"beyond": "cell", "value": longest, "column": name}
        columns.append(_plain(column))
    clean = pa.Table.from_arrays(columns, names=[str(i) for i in range(len(names))])
    with os.fdopen(asked["out"], "wb") as out, pa.ipc.new_stream(out, clean.schema) as writer:
        writer.write_table(clean)
    return {"names": names}


def _survey(asked: dict[str, Any]) -> dict[str, Any]:
    """What has to be known of a parquet file before a part of it is read as the whole would be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    file = _opened(asked)
    if isinstance(file, dict):
        return file
    schema = file.schema_arrow
    kinds, nulls, long = [], [False] * len(schema), [False] * len(schema)
    for kind in schema.types:
        if pa.types.is_decimal(kind) and kind.scale <= 0 and kind.precision > 15:
            return {"whole": True}  # what it is read as depends on all of its cells
        if pa.types.is_nested(kind):
            return {"whole": True}  # vectors, whose length one part may not show
        names = {"boolean": pa.types.is_boolean, "integer": pa.types.is_integer, "temporal": pa.types.is_temporal}
        found = next((name for name, is_such in names.items() if is_such(kind)), "other")
        kinds.append("unsigned" if kind == pa.uint64() else found)
    doubtful = [i for i, kind in enumerate(kinds) if kind in ("boolean", "integer", "unsigned")]
    wanted = [schema.names[i] for i in doubtful]
    for batch in file.iter_batches(batch_size=asked["rows"], columns=wanted, use_threads=False) if wanted else ():
        for i, column in zip(doubtful, batch.columns, strict=True):
            nulls[i] |= column.null_count > 0
            ends: dict[str, Any] = pc.min_max(column).as_py() if kinds[i] != "boolean" else {"max": None}
            long[i] |= ends["max"] is not None and max(ends["max"], -ends["min"]) > 2**53
    rows = file.metadata.num_rows
    return {"names": schema.names, "rows": rows, "kinds": kinds, "nulls": nulls, "long": long}


def _stream(asked: dict[str, Any]) -> dict[str, Any]:
    """Some columns of a parquet file, so many rows at once; whoever asked reads what is written meanwhile."""
    import pyarrow as pa

    file, out = _opened(asked), os.fdopen(asked["out"], "wb")
    if isinstance(file, dict):
        return file
    names, writer = asked["columns"], None
    for batch in file.iter_batches(batch_size=asked["rows"], columns=names, use_threads=False):
        table = pa.Table.from_batches([batch])
        table.validate(full=True)
        columns = []
        for name, column in zip(names, table.columns, strict=True):
            longest = _longest(column)
            if longest > asked["limits"]["cell"]:
                return {"beyond": "cell", "value": longest, "column": name}
            columns.append(_plain(column))
        clean = pa.Table.from_arrays(columns, names=[str(i) for i in range(len(names))])
        writer = writer or pa.ipc.new_stream(out, clean.schema)
        writer.write_table(clean)
    if writer is not None:
        writer.close()
    out.close()
    return {"names": names}


def _opened(asked: dict[str, Any]) -> Any:
    """A parquet file of which nothing but its head was read; or what of it is too much."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.PythonFile(os.fdopen(asked["source"], "rb"), mode="r"))
    width = len(file.schema_arrow)
    deepest = max(map(_depth, file.schema_arrow.types), default=0)
    for name, value in (("columns", width), ("nesting", deepest), ("size", 8 * file.metadata.num_rows * width)):
        if value > asked["limits"][name]:
            return {"beyond": name, "value": value}
    return file


def _read_parquet(source: Any, asked: dict[str, Any]) -> Any:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    columns, rows = file.metadata.num_columns, file.metadata.num_rows
    if columns > asked["limits"]["columns"]:
        return {"beyond": "columns", "value": columns}
    if 8 * rows * columns > asked["limits"]["size"]:  # before it is made
        return {"beyond": "size", "value": 8 * rows * columns}
    return file.read(use_threads=asked["threads"])


def _read_feather(source: Any, asked: dict[str, Any]) -> Any:
    from pyarrow import feather

    return feather.read_table(source, use_threads=asked["threads"])


_READERS = {"parquet": _read_parquet, "feather": _read_feather}


def _plain(column: Any) -> Any:
    """A column as it is, times of day as text, decimals as float64, or as text where that would merge whole ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_time(column.type):
        return column.cast(pa.string())
    if not pa.types.is_decimal(column.type):
        return column
    numbers = column.cast(pa.float64())
    whole = column.type.scale <= 0 and column.type.precision > 15
    long = whole and pc.any(pc.greater(pc.abs(numbers), 2.0**53)).as_py()
    return column.cast(pa.string()) if long else numbers


def _longest(column: Any) -> int:
    """Bytes of the longest cell of text; 0 where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)):
        return 0
    if pa.types.is_dictionary(column.type):
        return max((_longest(chunk.dictionary) for chunk in column.chunks), default=0)
    return pc.max(pc.binary_length(column)).as_py() or 0


def _depth(kind: Any) -> int:
    """How many types are within one another; a stack rather than calls, as a stranger chose the depth."""
    deepest, left = 0, [(kind, 1)]
    while left:
        kind, level = left.pop()
        deepest = max(deepest, level)
        left += [(kind.field(i).type, level + 1) for i in range(kind.num_fields)]
    return deepest


def _limit(memory: int, seconds: int, parent: int) -> None:
    """Ends this process with the one that asked, and where it takes too much."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:
            os._exit(1)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - pathlib is not loaded
            file.write("1000")
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    main(sys.argv[1])
