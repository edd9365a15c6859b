"""What a store says to its database: functions of one transaction, which their caller opens.

Adding reads the block of a task's evaluations, appends what is new, and writes the block back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from autometa.store.blocks import Block, check, decode, encode, extend
from autometa.store.reading import DamagedTask, Entry, Layer, sound
from autometa.store.records import TaskRecord
from autometa.store.schema import block, record_of, task, task_columns, values_of

if TYPE_CHECKING:
    from autometa.evaluation import Evaluation


def select(
    connection: Connection,
    space: str | None,
    kind: str | None,
    fingerprints: Sequence[str] | None,
    scores: bool,
    details: bool,
    tell: Callable[[DamagedTask], None],
) -> list[Entry]:
    """The tasks that match, by fingerprint and space, with the asked parts of their blocks; the damaged are told."""
    wanted = [block.c.evaluations, *[block.c.scores] * scores, *[block.c.details] * details]
    query = sa.select(*task_columns(connection), *wanted).select_from(task.outerjoin(block))
    query = query.order_by(task.c.fingerprint, task.c.space)
    if space is not None:
        query = query.where(task.c.space == space)
    if kind is not None:
        query = query.where(task.c.kind == kind)
    if fingerprints is not None:
        query = query.where(task.c.fingerprint.in_(fingerprints))
    found = []
    for row in connection.execute(query).all():
        try:
            if row.evaluations is None:
                raise ValueError("its evaluations are missing")
            content = Block(row.scores if scores else b"", row.details if details else b"", row.evaluations)
            found.append(Entry(record_of(row), content))
        except (ValueError, KeyError, TypeError) as error:
            tell(DamagedTask(str(row.name), str(row.fingerprint), str(error) or type(error).__name__))
    return found


def counts(connection: Connection, space: str) -> dict[str, int]:
    """The number of evaluations of each task of a space, by fingerprint."""
    found = sa.select(block.c.fingerprint, block.c.evaluations).where(block.c.space == space)
    return {row.fingerprint: row.evaluations for row in connection.execute(found)}


def join(connection: Connection, layer: Layer, entry: Entry) -> int:
    """Adds an entry; how many evaluations were new. A task that is not known yet takes over the block as it is.

    Raises:
        StoreError: If a block is broken; the message names `layer`.
    """
    sound(layer, entry.record, check, entry.block)
    if insert(connection, entry.record, entry.block):
        return entry.block.evaluations
    return append(connection, layer, entry.record, sound(layer, entry.record, decode, entry.block))


def append(connection: Connection, layer: Layer, record: TaskRecord, evaluations: Sequence[Evaluation]) -> int:
    """Adds evaluations to a task, which is added first if need be; how many were new.

    Raises:
        StoreError: If the task's block is broken; the message names `layer`.
    """
    insert(connection, record, encode([]))
    found = sa.select(task, block).join_from(task, block).where(*_at(task, record)).with_for_update()
    row = connection.execute(found).one()
    known = sound(layer, record, record_of, row)
    values = values_of(known.merged(record))
    if values != values_of(known):
        connection.execute(sa.update(task).where(*_at(task, record)).values(values))
    kept = Block(row.scores, row.details, row.evaluations)
    together = sound(layer, known, extend, kept, evaluations)
    if together is not kept:
        connection.execute(sa.update(block).where(*_at(block, record)).values(together._asdict()))
    return together.evaluations - kept.evaluations


def forget(connection: Connection, fingerprint: str, space: str | None) -> int:
    """Removes a task, in one space or in all (None); how many evaluations went with it."""

    def where(table: sa.Table) -> sa.ColumnElement[bool]:
        here = table.c.fingerprint == fingerprint
        return here if space is None else here & (table.c.space == space)

    gone = connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(block.c.evaluations), 0)).where(where(block)))
    connection.execute(sa.delete(block).where(where(block)))
    connection.execute(sa.delete(task).where(where(task)))
    return int(gone or 0)


def insert(connection: Connection, record: TaskRecord, content: Block) -> bool:
    """Inserts a task with its block, unless the task is there; whether it was inserted."""
    attempt = upsert(connection)(task).values(values_of(record)).on_conflict_do_nothing().returning(task.c.fingerprint)
    if connection.execute(attempt).first() is None:
        return False
    identity = {"fingerprint": record.fingerprint, "space": record.space}
    connection.execute(sa.insert(block).values(identity | content._asdict()))
    return True


def upsert(connection: Connection) -> Any:
    """The `insert` of the database at hand, which knows ``on_conflict_do_nothing``."""
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def shipped(content: Block, folds: bool) -> Block:
    """A block in single precision, without the scores of single folds unless `folds`, compressed harder."""
    return encode(decode(content), ship=True, folds=folds)


def _at(table: sa.Table, record: TaskRecord) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition under which a row belongs to a task and its space."""
    return table.c.fingerprint == record.fingerprint, table.c.space == record.space
