"""The tables of a store, the steps from one schema to the next, and a task as a row.

Three tables: one row per (task, space), beside it one block that holds the task's evaluations, and per space the
weights of the surrogate that was learned from them. They are named with the prefix ``autometa_``, so that a store may
share a database with Optuna's own tables.

A schema step is a file in ``meta_db/migrations/versions``; `SCHEMA` names the last one. A new store is created at
`SCHEMA` outright and an older one is stepped forward in the transaction that first writes to it; Alembic, which costs
0.4 s, is imported only then. To change the schema, change the tables below, add a step, and set `SCHEMA` to it: a test
compares the two ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autometa.errors import StoreError
from autometa.files import digest
from autometa.store.address import meta_db
from autometa.store.records import TaskRecord

SCHEMA = "0003"
READABLE = ("0002",)  # older ones that can be read as they are, where they must not be written

metadata = sa.MetaData()

task = sa.Table(
    "autometa_task",
    metadata,
    sa.Column("fingerprint", sa.String(128), primary_key=True),
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("n_columns", sa.BigInteger, nullable=False),
    sa.Column("n_classes", sa.BigInteger, nullable=False),
    sa.Column("family", sa.Text),
    sa.Column("openml_id", sa.BigInteger),
    sa.Column("metafeatures", sa.Text),  # JSON: names, values, version, seconds
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("distributions", sa.Text),  # JSON, of the parameters of somebody's own space
    sa.Column("checksum", sa.String(32)),  # of the other columns; none in rows of older versions
)

block = sa.Table(
    "autometa_block",
    metadata,
    sa.Column("fingerprint", sa.String(128), primary_key=True),
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("evaluations", sa.BigInteger, nullable=False),
    # What learning reads of every task at once comes first: SQLite finds it without passing over the details.
    sa.Column("scores", sa.LargeBinary, nullable=False),
    sa.Column("details", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(
        ["fingerprint", "space"], ["autometa_task.fingerprint", "autometa_task.space"], ondelete="CASCADE"
    ),
)

weights = sa.Table(
    "autometa_weights",
    metadata,
    sa.Column("space", sa.String(128), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),  # an .npz archive, empty where learning did not help
    sa.Column("tasks", sa.BigInteger, nullable=False),  # how many it was learned from
    sa.Column("claimed", sa.Float),  # of an older version, which learned in another process; not used
)

version = sa.Table("autometa_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))

# Blocks are compressed already: PostgreSQL need not try again.
for _name in ("scores", "details"):
    _statement: Any = sa.DDL(f"ALTER TABLE autometa_block ALTER COLUMN {_name} SET STORAGE EXTERNAL")  # type: ignore[no-untyped-call]
    sa.event.listen(block, "after_create", _statement.execute_if(dialect="postgresql"))

_LOCK = 0x6175746F6D657461  # "autometa": orders the processes that create or change the schema of one database


def bring_forward(connection: Connection, where: str) -> None:
    """Creates the schema, or takes the steps that are missing, in the transaction of `connection`.

    Args:
        connection: Of a transaction that writes.
        where: How messages name the store.

    Raises:
        StoreError: If a newer AutoMeta wrote the store.
    """
    if state(connection, where) == "current":
        return
    if connection.dialect.name == "postgresql":  # SQLite's write transaction is a lock already
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    match state(connection, where):  # again: another process may have been faster
        case "absent":
            metadata.create_all(connection)
            connection.execute(version.insert().values(version_num=SCHEMA))
        case "older" | "readable":
            take_steps(connection)


def state(connection: Connection, where: str) -> str:
    """Whether the schema is "absent", "older", "readable" (older, but as good to read) or "current".

    Raises:
        StoreError: A newer AutoMeta wrote it; the message names `where` it is.
    """
    if not sa.inspect(connection).has_table(version.name):
        return "absent"
    found = connection.scalar(sa.select(version.c.version_num))
    if found == SCHEMA:
        return "current"
    if found in READABLE:
        return "readable"
    if found in {path.name.split("_")[0] for path in steps().glob("versions/[0-9]*.py")}:
        return "older"
    raise StoreError(
        f"{where}: the store was written by a newer AutoMeta (schema {found}; this one knows {SCHEMA}). "
        "Upgrade AutoMeta, or name another store."
    )


def steps() -> Path:
    """The folder of the schema steps: ``versions`` is in it."""
    return meta_db() / "migrations"


def take_steps(connection: Connection, target: str = "head") -> None:
    """Applies the schema steps up to `target`, in the transaction of `connection`."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(steps()))
    options = {"version_table": version.name, "fn": lambda revision, _: script._upgrade_revs(target, revision)}
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations()


def task_columns(connection: Connection) -> list[sa.ColumnElement[Any]]:
    """The columns of `task` as they can be read here: a file that must not be written may have an older schema."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(task.name)}
    return [column if column.name in there else sa.null().label(column.name) for column in task.c]


def values_of(record: TaskRecord) -> dict[str, Any]:
    """A task as a row of `task`: each column by its name, meta-features as JSON, and the checksum of it all."""
    values = {column.name: getattr(record, column.name) for column in task.c if column is not task.c.checksum}
    if (m := record.metafeatures) is not None:
        content = {
            "names": list(m.names),
            "values": [float(v) for v in m.values],
            "version": m.version,
            "seconds": {name: float(v) for name, v in m.seconds.items()},
        }
        values["metafeatures"] = json.dumps(content, separators=(",", ":"))
    return values | {"checksum": checksum_of(values)}


def checksum_of(values: Mapping[str, Any]) -> str:
    """The checksum of a row's other values."""
    content = [values[column.name] for column in task.c if column is not task.c.checksum]
    return digest(json.dumps(content, separators=(",", ":")).encode())


def record_of(row: Any) -> TaskRecord:
    """The task that `values_of` made a row of.

    Raises:
        ValueError: It is not as it was written.
    """
    values = {column.name: getattr(row, column.name) for column in task.c}
    said = values.pop("checksum")
    if said is not None and said != checksum_of(values):
        raise ValueError("the checksum of its record is wrong")
    if values["metafeatures"] is not None:
        from autometa.metafeatures import MetaFeatures

        m = json.loads(values["metafeatures"])
        names, numbers = tuple(m["names"]), np.array(m["values"], dtype=np.float64)
        values["metafeatures"] = MetaFeatures(names, numbers, m["version"], m["seconds"])
    return TaskRecord(**values)
