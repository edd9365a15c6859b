"""The tuned numbers of the store: what each means, its unit, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How long to wait, how hard to compress, how much to hold; `OPTIONS` are the ones in use.

    `MetaStore` takes others for waiting and holding; blocks are compressed alike everywhere.

    The store as a whole is measured by ``benchmarks/store.py``: a million evaluations (1,000 tasks) open in 0.06 s, are
    read for learning in 1.3 s, and a finished task enters in 0.08 s.
    """

    # -------------------------------------------------------------------------------------------------------- waiting

    # Seconds that a writer waits for others before it gives up, and a reader for whoever changes the file as a whole.
    # Of 96 writes of 8 processes at once the longest took 5.4 s, on 2 cores with a load of 10; without turns it took
    # 22 s with 48 writes of 4 (the writer of `tests/faults/test_damaged_stores.py`). More room than that is judgement.
    busy_seconds: float = 60.0
    # Seconds between two attempts of a writer, drawn between these. Judgement: a transaction takes a few milliseconds.
    shortest_pause: float = 0.001
    longest_pause: float = 0.02
    # Seconds to connect to PostgreSQL, unless the URL says ``connect_timeout``. Judgement, not measured.
    connect_seconds: int = 10

    # ---------------------------------------------------------------------------------------------------------- blocks

    # Level of zstd. 9 takes 6 ms for 1,000 evaluations; 19 saves a tenth and takes 160 ms, which pays when shipping.
    level: int = 9
    # Of a block that grows by few at a time and is long already: a study of 3,000 trials is packed in 2.5 ms instead of
    # 25, into no more bytes where configurations are random numbers.
    growing_level: int = 1
    growing_from: int = 256  # evaluations
    ship_level: int = 19

    # --------------------------------------------------------------------------------------------------------- reading

    # Bytes of unpacked blocks that one read keeps for its second look at the configurations; what exceeds them is
    # unpacked again. Keeping all of a million evaluations would take 1.3 GB; not keeping them takes 2 s more.
    held_bytes: int = 64_000_000
    # Configurations of the table that learning gets, by default: 11 MB at 330 tasks. The 30,000 that searches left on
    # so many tasks would take 160 MB and 1 s.
    width: int = 2000
    # Tasks that are held in memory at once while a store is copied: 15 MB at 1,000 evaluations each.
    batch: int = 64


OPTIONS = StoreOptions()
