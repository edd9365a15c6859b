"""What can be asked of OpenML: the face of the room."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem
from autometa.openml.options import OPTIONS
from autometa.openml.process import ClientSettings, Tell, ask
from autometa.openml.records import OpenMLSuite, OpenMLTable, OpenMLTask, Publication

if TYPE_CHECKING:
    import pandas as pd


class OpenML:
    """OpenML, or a server that speaks its protocol.

    Nothing is asked of it before a method is called. Methods may be called from several threads and processes.

    Args:
        server: The address of its API, such as ``https://www.openml.org/api/v1/xml``.
        key: Your API key; needed to publish only.
        cache: Folder of the client's cache; what the client left in it before is used.
        deadline: Seconds that one call may take, waiting for others included.
        offline: Use the cache alone; what it lacks is an InputError.
        tell: Told what is fetched, repeated and waited for.

    Raises:
        InputError: `server` is not an address.

    See Also:
        `OpenMLTask`, `OpenMLSuite`, `as_task`.

    Example:
        >>> openml = OpenML(deadline=60.0, tell=print)
        >>> task = openml.task(31)  # doctest: +SKIP
        >>> task.target, task.kind, task.table.frame.shape  # doctest: +SKIP
        ('class', 'classification', (1000, 21))
    """

    def __init__(
        self,
        *,
        server: str | None = None,
        key: str | None = None,
        cache: Path | None = None,
        deadline: float = OPTIONS.deadline,
        offline: bool = False,
        tell: Tell | None = None,
    ) -> None:
        server = server or os.environ.get("AUTOMETA_OPENML_SERVER") or None
        if server is not None and not re.match(r"https?://[^/]+", server):
            raise InputError(Problem(f"server {server}", "is not an address", "Such as https://HOST/api/v1/xml."))
        if server is not None and "/api" not in server:
            server = f"{server.rstrip('/')}/api/v1/xml"
        folder = cache or os.environ.get("OPENML_CACHE_DIR")
        self.deadline = deadline
        self._tell = tell or (lambda text: None)
        self._settings = ClientSettings(
            server=server,
            key=key or os.environ.get("AUTOMETA_OPENML_KEY") or None,
            cache=str(Path(folder).expanduser().absolute()) if folder else None,
            offline=offline or os.environ.get("AUTOMETA_OPENML_OFFLINE", "") not in ("", "0"),
        )

    def task(self, task_id: int) -> OpenMLTask:
        """A classification or regression task with its table and its splits.

        Raises:
            InputError: There is no such task, it is of another type, or offline it is not in the cache.
            OpenMLError: It cannot be had now.
        """
        return self._call("task", task_id=int(task_id))

    def table(self, data_id: int) -> OpenMLTable:
        """A dataset. Raises as `task` does."""
        return self._call("table", data_id=int(data_id))

    def suite(self, id_or_alias: int | str) -> OpenMLSuite:
        """A benchmark suite by its number or alias. Raises as `task` does."""
        return self._call("suite", name=str(id_or_alias))

    def tasks_named(self, name: str) -> tuple[int, ...]:
        """The numbers of the tasks on the datasets of a name. Raises as `task` does."""
        return tuple(self._call("tasks_named", name=name))

    def missing(self, suite: int | str | OpenMLSuite) -> list[Problem]:
        """What the cache lacks of a suite; empty when all of it can be had offline. Asks nothing of the network."""
        return self._call("missing", wanted=suite if isinstance(suite, OpenMLSuite) else str(suite))

    def evaluations(
        self,
        *,
        suite: int | str | None = None,
        task: int | Sequence[int] | None = None,
        flow: int | str | Sequence[int | str] | None = None,
        measure: str | Sequence[str] = "predictive_accuracy",
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Past runs with their hyperparameters.

        Args:
            suite: Of the tasks of this suite,
            task: or of this task or these.
            flow: Only of these flows: a number, or a part of the flow's name.
            measure: OpenML's names of measures. A run that lacks the first one is not listed.
            limit: At most so many runs of each task.

        Returns:
            One dictionary for each run: ``run_id``, ``task_id``, ``data_id``, ``data_name``, ``setup_id``,
            ``flow_id``, ``flow_name``, ``values`` ({measure: value}) and ``setup``, the hyperparameters, each a
            dictionary with the ``component`` flow that it belongs to, its ``name``, ``value`` and ``default`` as text.

        Raises:
            InputError: Neither a suite nor a task is named; otherwise as `task`.
        """
        if suite is None and task is None:
            raise InputError(Problem("evaluations", "of which tasks?", "Name a suite or a task."))
        tasks = [] if task is None else [task] if isinstance(task, int) else [int(t) for t in task]
        flows = [] if flow is None else [flow] if isinstance(flow, (int, str)) else list(flow)
        if suite is not None:
            tasks += self.suite(suite).task_ids
        found: list[dict[str, Any]] = []
        for done, task_id in enumerate(dict.fromkeys(tasks)):  # one call each, so that a deadline is of one task
            self._tell(f"evaluations of task {task_id} ({done + 1} of {len(tasks)})")
            measures = [measure] if isinstance(measure, str) else list(measure)
            found += self._call("evaluations", task_id=task_id, flows=flows, measures=measures, limit=limit)
        return found

    def publish(
        self,
        *,
        task_id: int,
        flow: str,
        version: str,
        description: str,
        parameters: Mapping[str, Any],
        predictions: pd.DataFrame,
        dry: bool = True,
    ) -> Publication:
        """Uploads a method, unless it is there, and a run of it on the splits of a task.

        Args:
            task_id: The task.
            flow: Name of the method, such as ``autometa.AutoMetaClassifier``.
            version: Of the software, such as ``autometa==0.1.0``.
            description: What the method is.
            parameters: Its settings in this run.
            predictions: One row for each test row of each split: ``repeat``, ``fold``, ``row`` (from 0),
                ``prediction``, and for classification ``proba_LABEL`` for each class.
            dry: Send nothing; say what would be sent.

        Raises:
            InputError: Predictions that do not fit the task, or no key.
            OpenMLError: It cannot be sent now.
        """
        return self._call(
            "publish", task_id=int(task_id), flow=flow, version=version, description=description,
            parameters=dict(parameters), predictions=predictions, dry=dry,
        )  # fmt: skip

    def _call(self, method: str, /, **arguments: Any) -> Any:
        ends = time.monotonic() + self.deadline
        return ask((self._settings, method, arguments), ends, self.deadline, self._tell)
