"""What is collected unless one asks otherwise: what each number means, its unit, and where its value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What is tried on each table, and what one evaluation may take; `OPTIONS` are the defaults.

    ``meta_db/README.md`` lists the commands by which the memory that ships was collected, with 1,000 rows and 3 folds.

    See Also:
        `collect`.

    Example:
        >>> CollectOptions(configs=13, rows=1000, folds=3).trial_seconds
        60.0
    """

    # Size of the pool per table. Judgement: each family's default and a handful more; the shipped memory was begun so.
    configs: int = 60
    # Only these families of the pool, the winners and the searches; None for all.
    families: Sequence[str] | None = None
    # After the pool, at most so many configurations that are best on some other table and little tried.
    winning: int = 0
    # Then so many configurations per table that a search guided by all tables finds for it.
    searched: int = 0
    # Larger tables are sampled down to this many rows; the evaluations say so. Judgement, not measured.
    rows: int = 5000
    # Of the cross-validation, 1 for a hold-out; None for as many as the size suggests.
    folds: int | None = None
    # Stop after so many seconds; None to finish.
    seconds: float | None = None
    # Seconds that one evaluation may take, and bytes. Judgement, not measured.
    trial_seconds: float = 60.0
    evaluation_ram: int = 4 * 2**30
    # On a crowded machine an evaluation may take so many times that again while it works: what the memory keeps as out
    # of time is slow by itself. Judgement, not measured.
    patience: float = 4.0
    # Bytes of all processes together; None for `evaluation_ram` for each evaluation.
    max_ram: int | None = None
    # Evaluations at once; None for one per CPU.
    jobs: int | None = None
    # Of samples, splits and models.
    seed: int = 0
    # Take what is at OpenML from its cache alone.
    offline: bool = False
    # Configurations that fill each family's space: the longest pool. Constant, so that a longer pool begins with the
    # shorter one. Judgement, not measured.
    filling: int = 256
    # A winner is known on fewer than this share of the tasks. Judgement, not measured.
    rare: float = 0.5


OPTIONS = CollectOptions()
