"""A store as a folder of parquet files: to back up, to share, to look at with any other tool.

    manifest.json         format, versions, counts, and the SHA-256 of the files
    tasks.parquet         one row per task and space
    evaluations.parquet   one row per evaluation: the columns of a block behind `fingerprint` and `space`

In `evaluations.parquet` the values in `scores` are those of the metrics that the JSON list in `metrics` names, and
likewise `folds` and `fold_metrics`. No task straddles two row groups.

Law: importing what was exported gives an equal store; a folder that is not as it was written is refused as a whole.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import autometa
from autometa.errors import InputError, Problem
from autometa.store.blocks import DEVICE, Block, encode, pack, unpack, with_devices
from autometa.store.reading import Entry
from autometa.store.schema import SCHEMA, record_of, values_of

EXPORT_FORMAT, EXPORT_VERSION = "autometa store export", 1
TASKS_FILE, EVALUATIONS_FILE, MANIFEST_FILE = "tasks.parquet", "evaluations.parquet", "manifest.json"


def export(batches: Iterable[Sequence[Entry]], path: Path) -> dict[str, Any]:
    """Writes a new folder and returns its manifest; InputError where something is there already."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(Problem(str(path), "exists already", "Name a new folder."))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        folder = Path(work) / "export"
        folder.mkdir()
        rows: list[dict[str, Any]] = []
        evaluations = 0
        with pq.ParquetWriter(folder / EVALUATIONS_FILE, _SCHEMA, compression="zstd") as writer:
            for batch in batches:
                rows += [values_of(entry.record) for entry in batch]
                table = pa.concat_tables([_plain(entry) for entry in batch])
                evaluations += len(table)
                writer.write_table(table, row_group_size=max(len(table), 1))
        pq.write_table(pa.Table.from_pylist(rows, _TASK_SCHEMA), folder / TASKS_FILE, compression="zstd")
        manifest = {
            "format": EXPORT_FORMAT,
            "version": EXPORT_VERSION,
            "autometa": autometa.__version__,
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "tasks": len(rows),
            "evaluations": evaluations,
            "sha256": {name: _digest(folder / name) for name in (TASKS_FILE, EVALUATIONS_FILE)},
        }
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if path.exists():
            path.rmdir()
        folder.rename(path)
    return manifest


def batches(path: Path) -> Iterator[list[Entry]]:
    """The entries of an exported folder, some tasks at a time. InputError where it is not sound."""
    if problems := _problems(path):
        raise InputError(problems)
    try:
        yield from _read(path)
    except InputError:
        raise
    except Exception as error:  # Arrow, and whoever reads what it holds, raise anything
        what = f"cannot be read ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        raise InputError(Problem(str(path), what, "Export again.")) from error


def _read(path: Path) -> Iterator[list[Entry]]:
    records = {
        (row["fingerprint"], row["space"]): record_of(SimpleNamespace(**_LATER | row))
        for row in pq.read_table(path / TASKS_FILE).to_pylist()
    }
    with pq.ParquetFile(path / EVALUATIONS_FILE) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            identities = list(zip(table["fingerprint"].to_pylist(), table["space"].to_pylist(), strict=True))
            starts = [i for i, identity in enumerate(identities) if i == 0 or identity != identities[i - 1]]
            yield [
                Entry(records.pop(identities[start]), _block(table.slice(start, stop - start)))
                for start, stop in pairwise([*starts, len(identities)])
            ]
    yield [Entry(record, encode([])) for record in records.values()]  # tasks without evaluations


def _problems(path: Path) -> list[Problem]:
    """Why a folder is not an export that can be read."""
    try:
        manifest = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))
        written, digests = manifest["format"] == EXPORT_FORMAT and manifest["version"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return [
            Problem(
                str(path), f"not an export of a store: no readable {MANIFEST_FILE}", "Name a folder that export wrote."
            )
        ]
    if written != EXPORT_VERSION:
        return [
            Problem(
                str(path), f"an export in format {written}; this AutoMeta reads {EXPORT_VERSION}", "Upgrade AutoMeta."
            )
        ]
    problems = []
    for name in (TASKS_FILE, EVALUATIONS_FILE):
        if not (path / name).is_file():
            problems.append(Problem(str(path / name), "missing", "Export again."))
        elif _digest(path / name) != digests.get(name):
            problems.append(Problem(str(path / name), "not as it was written: its SHA-256 differs", "Export again."))
    return problems


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(entry: Entry) -> pa.Table:
    """A block as rows without dictionaries, which parquet makes itself."""
    parts = unpack(entry.block.scores), unpack(entry.block.details)
    columns = {name: part[name] for part in parts for name in part.column_names}
    identity = {
        name: pa.repeat(getattr(entry.record, name), entry.block.evaluations) for name in ("fingerprint", "space")
    }
    return pa.table(identity | columns).select(_SCHEMA.names).cast(_SCHEMA)


def _block(table: pa.Table) -> Block:
    """The block of the rows of one task."""
    encoded = {
        name: pc.dictionary_encode(table[name]) if table[name].type == pa.string() else table[name]
        for name in table.column_names
    }
    half = [pa.table({name: encoded[name].combine_chunks() for name in part.names}) for part in (_SCORES, _DETAILS)]
    devices = [json.loads(text).get(DEVICE) for text in table["versions"].to_pylist()]
    scores = with_devices(half[0], devices) if any(devices) else half[0]
    return Block(pack(scores), pack(half[1]), len(table))


def _without_dictionaries(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


_EMPTY = encode([])
_SCORES, _DETAILS = (_without_dictionaries(unpack(part).schema) for part in (_EMPTY.scores, _EMPTY.details))
_LATER = {"distributions": None, "checksum": None}  # columns that exports of older versions lack
_SCHEMA = pa.schema([("fingerprint", pa.string()), ("space", pa.string()), *_SCORES, *_DETAILS])
_TASK_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("fingerprint", "space", "name", "kind", "metric")),
        *((name, pa.int64()) for name in ("n_rows", "n_columns", "n_classes")),
        ("family", pa.string()),
        ("openml_id", pa.int64()),
        *((name, pa.string()) for name in ("metafeatures", "created", "source", "distributions")),
    ]
)
