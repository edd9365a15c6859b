"""The memory: which tasks were seen, and how configurations did on them.

A store is an append-only memory of tasks and evaluations behind a URL: an SQLite file (the user's own by default) or a
PostgreSQL database. The evaluations of one task in one search space form one compressed Arrow block, so that learning
from a million evaluations reads a thousand blocks and never a million rows. The memory shipped with the package lies
read-only beneath the user's store (`MetaStore.with_shipped`); both are read as one.

Laws: what was added reads back equal; adding twice changes nothing, whoever adds and in whatever order; a read never
creates a store; a store that cannot be used is left as it is, byte for byte. No cell of a table enters: text that a
failure quotes is masked before it is kept.

    records     TaskRecord · Exclusion · PastTasks     what is kept of a task, what a reader leaves out, what it gets
    blocks      evaluations <-> compressed Arrow block
    address     a URL, the user's own store, the shipped memory
    schema      tables, steps from one schema to the next, a task as a row
    database    connections, transactions, what the database's errors mean
    turns       writers of one file, one after the other
    statements  what is said to the database in one transaction
    metastore   MetaStore: reading, writing, merging, the file to ship
    reading     one store, or several layers, read as one
    exchange    export and import: a folder of Parquet files
    told        every metric of some tasks, whatever became of their evaluations
    inspection  every invariant, checked
    options     every tuned number, with the origin of its value

To add a way of bringing experience in (an Optuna study, a table of runs), turn it into a `TaskRecord` and `Evaluation`s
and call `MetaStore.add`: identity, merging and concurrency are settled there.

Letters:  t tasks · m configurations · f meta-features.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autometa.moved import former
from autometa.store.records import Exclusion, PastTasks, PastTrials, TaskRecord, sample_fingerprint

if TYPE_CHECKING:
    from autometa.store.metastore import MetaStore

__all__ = ["Exclusion", "MetaStore", "PastTasks", "PastTrials", "TaskRecord", "sample_fingerprint"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Imports what speaks to databases when it is first asked for: SQLAlchemy and Arrow cost 0.4 s."""
        if name == "MetaStore":
            return importlib.import_module("autometa.store.metastore").MetaStore
        return former(__name__)(name)
