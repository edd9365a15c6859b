"""The client of OpenML: tasks with their own splits, tables, suites, past evaluations, and results published.

The official client does the talking, in a process of its own: it sets no time limit on a request, keeps its settings in
globals, and writes into a cache that it never checks. In that process a request gets a time limit and is repeated when
the answer is an error that passes, or is cut; the settings are of this call alone; and a call that outlives its
deadline is ended with the process, whatever it hangs in. One such process serves call after call, so the two seconds
that importing the client takes are paid once.

Laws: what is returned was checked, and is whole: every row and column that the server announces, every split complete;
what is damaged in the cache is thrown away and fetched again; one process fetches at a time, so that any number of them
may share a cache; nothing is asked of the network offline, or for what the cache holds.

Settings, by argument or else by environment: the server (AUTOMETA_OPENML_SERVER), the key (AUTOMETA_OPENML_KEY), the
cache (OPENML_CACHE_DIR), offline (AUTOMETA_OPENML_OFFLINE=1); what neither says is read from the client's own
configuration file, which is never written.

    client     OpenML: what can be asked
    address    openml:task/31 as a table
    records    what comes back
    process    the process that asks  ──pipe──  server, the one that has the official client loaded
                                                 session    the client under the settings of one call, its errors
                                                 tables     tasks and datasets, checked to be whole
                                                 runs       suites and past evaluations
                                                 publish    flows and runs
                                                 cache      what is whole in the client's cache, and its lock
                                                 retry      time limits and further attempts, beneath the client
    options    every tuned number, with its origin

To add a call, write a function of a `ClientSession` in one of these, give it a line in `server.CALLS`, and its face to
`OpenML`.

Letters:  n rows · r repeats · k folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.errors import OpenMLError
from autometa.moved import former
from autometa.openml.address import MEASURES, as_task, is_address, read_table, read_task
from autometa.openml.client import OpenML
from autometa.openml.records import OpenMLSuite, OpenMLTable, OpenMLTask, Publication

__all__ = [
    "MEASURES",
    "OpenML",
    "OpenMLError",
    "OpenMLSuite",
    "OpenMLTable",
    "OpenMLTask",
    "Publication",
    "as_task",
    "is_address",
    "read_table",
    "read_task",
]

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before
