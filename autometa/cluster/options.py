"""The tuned numbers of clusters: what each means, its unit, and where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Constants of clusters; `OPTIONS` are the ones in use. Judgement, unless it says otherwise."""

    # Seconds beyond what a trial may take, after which its worker counts as lost.
    grace: float = 20.0
    # Seconds for reaching a cluster and its first worker: on a crowded machine one takes half a minute to start.
    patience: float = 120.0
    # Seconds between two looks at whether the scheduler is still there while a trial runs.
    look: float = 1.0
    # Bytes of the models of a trial's folds that come back; larger ones are fitted again at the end.
    models_bytes: int = 64 << 20
    # Bytes of tables that a worker keeps on its disk; the ones not used for longest make room.
    tables_bytes: int = 20 << 30
    # Seconds since a table was last used, in which another worker of the same machine may be using it.
    tables_in_use: float = 3600.0
    # Seconds after which a worker lets go of the processes of a search that it has not heard of any more.
    idle: float = 600.0
    # Days for which certificates are good.
    days: int = 825
    # Port of a scheduler; Dask's.
    port: int = 8786


OPTIONS = ClusterOptions()
