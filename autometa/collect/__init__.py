"""Experience: the same configurations tried on many tables, for the memory to learn from.

Everybody's pool is the same: each family's default, then what did well elsewhere, then configurations that fill the
space, families taking turns in proportion to how many parameters they have. After the pool come the winners, which are
best on some table and have been tried on few others, and then a search of each table's own, which finds new winners.
The tables take turns too, so that stopping at any moment leaves a balanced table of tasks x configurations, and
starting again goes on where it stopped: what is in the store is not done twice.

Only what is measured is kept (scores, seconds, memory, meta-features), never a row of the data.

    sources    files, folders, addresses and a catalogue -> tables
    planned    the pool · the winners · a search of each table's own
    run        collect: round after round, on many tables at once
    options    every tuned number, with the origin of its value
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.collect.options import CollectOptions
from autometa.collect.planned import pool, winners
from autometa.collect.run import collect, learning_curves
from autometa.collect.sources import TableSource, find_sources
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)

__all__ = ["CollectOptions", "TableSource", "collect", "find_sources", "learning_curves", "pool", "winners"]
