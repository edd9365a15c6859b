"""Trials on other machines: a Dask cluster instead of this machine's processes.

`connect` reaches a cluster and gives a `Cluster`, which `search`, `resume` and `collect` take as their executor. Dask
moves what is to be done to the workers and the answers back; on a worker every trial runs in a process of its own under
its deadline and memory cap, as on this machine. Only this machine writes journal, store and model, so a run goes on
with or without a cluster, and when the cluster is gone the search goes on here.

`address` says which addresses may be used and how they are secured, `keys` makes the certificates, `work` is what runs
on a worker, `tables` what a worker keeps of tables, `nodes` starts a scheduler or a worker.

Law: nothing that is not encrypted leaves this machine; a worker of another version does nothing.
"""

from __future__ import annotations

from autometa.cluster.address import Address
from autometa.cluster.cluster import Cluster, connect
from autometa.cluster.keys import write_keys

__all__ = ["Address", "Cluster", "connect", "write_keys"]
