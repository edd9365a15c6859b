"""The one door to OpenML: tasks with their own splits, tables, suites, past evaluations, and results published.

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

To add a call, write a method of `_Client`, which runs in that process, and its face in `OpenML`.

Letters:  n rows · r repeats · k folds.
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import json
import os
import pickle
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from autometa.errors import AutoMetaError, InputError, Problem, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from autometa.task import Task

__all__ = ["OpenML", "OpenMLError", "OpenMLTable", "OpenMLTask", "Publication", "Suite", "is_address", "read_task"]

DEADLINE = 120.0  # seconds that one call may take by default
STALL = 20.0  # seconds that a server may stay silent within one request
TRIES = 7  # of one request; their pauses add up to 16 s
REFUSED_TRIES = 3  # of one to a server that is not there at all
MARK = "whole.autometa"  # an empty file beside what was found whole, so that it can be read without the lock
_ALL = {"download_data": True, "download_qualities": True, "download_features_meta_data": True}
ATTEMPTS = 6  # at a whole task or table that arrives damaged
IDLE = 60.0  # seconds after which a client process without work ends by itself

Split = tuple[int, int, NDArray[np.intp], NDArray[np.intp]]  # repeat, fold, rows to train on, rows to test on
Tell = Callable[[str], None]


class OpenMLError(AutoMetaError, ConnectionError):
    """The server cannot be reached, fails, does not answer in time, or sends what is not whole."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class OpenMLTable:
    """A dataset: every column but row ids and those that its maker marked to be ignored."""

    data_id: int
    name: str
    frame: pd.DataFrame  # (n, p) features and target
    target: str | None  # the maker's choice
    categorical: tuple[str, ...]  # names of the nominal columns, the target among them if it is one


@dataclass(frozen=True, slots=True)
class OpenMLTask:
    """A dataset, what to predict in it, and on which rows to be judged."""

    task_id: int
    kind: Literal["classification", "regression"]
    table: OpenMLTable
    target: str
    splits: tuple[Split, ...]  # by repeat and fold; rows count from 0
    measure: str | None  # OpenML's name of the measure to be judged by, if the task says one


@dataclass(frozen=True, slots=True)
class Suite:
    """A named collection of tasks."""

    id: int
    name: str
    task_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published, or in a dry run would be."""

    flow_id: int | None  # None while it is not at the server
    run_id: int | None
    url: str | None
    flow: str  # the XML that describes the method
    run: str  # the XML that describes the run
    predictions: int


class OpenML:
    """OpenML, or a server that speaks its protocol.

    Nothing is asked of it before a method is called. Methods may be called from several threads and processes.

    Args:
        server: The address of its API, such as ``https://www.openml.org/api/v1/xml``.
        key: Your API key; needed to publish only.
        cache: Folder of the client's cache; what the client left in it before is used.
        deadline: Seconds that one call may take, waiting for others included.
        offline: Use the cache alone.
        tell: Told what is fetched, repeated and waited for.
    """

    def __init__(
        self,
        *,
        server: str | None = None,
        key: str | None = None,
        cache: Path | None = None,
        deadline: float = DEADLINE,
        offline: bool = False,
        tell: Tell | None = None,
    ) -> None:
        server = server or os.environ.get("AUTOMETA_OPENML_SERVER") or None
        if server is not None and not re.match(r"https?://[^/]+", server):
            raise InputError(Problem(f"server {server}", "is not an address", "Such as https://HOST/api/v1/xml."))
        if server is not None and "/api" not in server:
            server = f"{server.rstrip('/')}/api/v1/xml"
        self.deadline = deadline
        self._tell = tell or (lambda text: None)
        self._settings = _Settings(
            server=server,
            key=key or os.environ.get("AUTOMETA_OPENML_KEY") or None,
            cache=None if cache is None else str(Path(cache).absolute()),
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

    def suite(self, id_or_alias: int | str) -> Suite:
        """A benchmark suite by its number or alias. Raises as `task` does."""
        return self._call("suite", name=str(id_or_alias))

    def missing(self, suite: int | str | Suite) -> list[Problem]:
        """What the cache lacks of a suite; empty when all of it can be had offline. Asks nothing of the network."""
        return self._call("missing", suite=suite if isinstance(suite, Suite) else str(suite))

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
                ``prediction``, and for classification a probability column for each class, named by its label.
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
        return _ask((self._settings, method, arguments), ends, self.deadline, self._tell)


# ------------------------------------------------------------------------------------------------- addresses as data

_ADDRESS = re.compile(r"openml:(?P<noun>[^/]*)/?(?P<number>.*)", re.IGNORECASE)

# OpenML's measures that are scorers of ours, by kind of task; its AUC of several classes weights them by their rows.
MEASURES: dict[str, dict[str, str]] = {
    "predictive_accuracy": dict.fromkeys(("binary", "multiclass"), "accuracy"),
    "area_under_roc_curve": {"binary": "roc_auc", "multiclass": "roc_auc_ovr_weighted"},
    "f_measure": dict.fromkeys(("binary", "multiclass"), "f1_weighted"),
    "unweighted_recall": dict.fromkeys(("binary", "multiclass"), "balanced_accuracy"),
    "root_mean_squared_error": {"regression": "neg_root_mean_squared_error"},
    "mean_absolute_error": {"regression": "neg_mean_absolute_error"},
}


def is_address(data: Any) -> bool:
    """Whether `data` names something at OpenML rather than a file.

    Example:
        >>> is_address("openml:task/31"), is_address("openml.csv")
        (True, False)
    """
    return isinstance(data, (str, Path)) and str(data).lower().startswith("openml:")


def address(data: str | Path) -> tuple[str, int]:
    """``openml:task/31`` as ``("task", 31)``; InputError for what is neither a task nor a dataset.

    Example:
        >>> address("openml:data/61")
        ('data', 61)
    """
    match = _ADDRESS.fullmatch(str(data))
    noun, number = (match["noun"].lower(), match["number"]) if match else ("", "")
    if noun in ("task", "data") and number.isdecimal():
        return noun, int(number)
    meant = did_you_mean(noun, ("task", "data")) if noun not in ("task", "data") else ""
    raise InputError(
        Problem(str(data), "names nothing at OpenML", f"{meant} Such as openml:task/31 or openml:data/61.".strip())
    )


def read_task(data: Any, *, openml: OpenML | None = None, **options: Any) -> Task:
    """`autometa.task.read_task`, for which ``openml:task/31`` and ``openml:data/61`` are tables as well.

    A task at OpenML says its target, and its metric where it is one of ours; a dataset says its target. What `options`
    say goes before that.
    """
    from autometa.task import make_task
    from autometa.task import read_task as read_file

    if not is_address(data):
        return read_file(data, **options)
    noun, number = address(data)
    openml = openml or OpenML()
    options.pop("rename_duplicates", None)  # names are unique there
    if noun == "data":
        table, known = openml.table(number), {}
    else:
        task = openml.task(number)
        table, known = task.table, {"target": task.target, "kind": task.kind}
        if options.get("target") not in (None, task.target):
            del known["kind"]
        elif options.get("metric") is None and task.measure in MEASURES:
            classes = table.frame[task.target].nunique()
            kind = task.kind if task.kind == "regression" else "binary" if classes == 2 else "multiclass"
            known["metric"] = MEASURES[task.measure].get(kind, "")
    defaults = {"name": table.name, "openml_id": table.data_id, "target": table.target, **known}
    return make_task(table.frame, **{**options, **{k: v for k, v in defaults.items() if v and not options.get(k)}})


# ------------------------------------------------------------------------------------------- this side of the process


@dataclass(frozen=True, slots=True)
class _Settings:
    """Of one call; None for the client's own."""

    server: str | None
    key: str | None
    cache: str | None
    offline: bool


class _Process:
    """A process that has the client loaded, and answers one call at a time."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from autometa.openml import _serve; _serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process to handle
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                self._answers.put(pickle.load(self._process.stdout))
        self._answers.put(None)

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(request, self._process.stdin, protocol=5)
        self._process.stdin.flush()

    def receive(self, ends: float) -> tuple[str, Any] | None:
        """The next word; None when the process has ended. Raises `queue.Empty` when the time is over."""
        return self._answers.get(timeout=max(ends - time.monotonic(), 0.0))

    def end(self) -> None:
        """At once, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast(Any, pipe).close()


_idle: list[_Process] = []
_turn = threading.Lock()


@atexit.register
def _end_idle() -> None:
    with _turn:
        while _idle:
            _idle.pop().end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def _process() -> _Process:
    """One that waits for work, else a new one."""
    with _turn:
        while _idle:
            process = _idle.pop()
            if process.alive():
                return process
            process.end()
    return _Process()


def _ask(request: Any, ends: float, deadline: float, tell: Tell) -> Any:
    """The answer to a call, or its error; the process is ended unless it has answered."""
    for first in (True, False):
        process = _process()
        last = ""
        try:
            with suppress(BrokenPipeError):
                process.send((*request, max(ends - time.monotonic(), 0.0)))
            while (word := process.receive(ends)) is not None and word[0] == "tell":
                last = word[1]
                tell(last)
        except queue.Empty:
            process.end()
            while_ = f" while: {last}" if last else ""
            raise OpenMLError(
                f"OpenML did not answer within the deadline of {deadline:g} s{while_}. Try again, or allow more time."
            ) from None
        except BaseException:
            process.end()
            raise
        if word is None:  # it ended: by idleness just before it was asked, or by a crash
            process.end()
            if first:
                continue
            raise OpenMLError("the process that talks to OpenML died twice; is there memory enough?")
        with _turn:
            _idle.append(process)
            spare = _idle.pop(0) if len(_idle) > 2 else None
        if spare is not None:
            spare.end()
        if word[0] == "error":
            raise word[1]
        return word[1]
    raise AssertionError


# ------------------------------------------------------------------------------------------- that side of the process


def _serve() -> None:
    """Answers calls from standard input on standard output until it is closed, or nothing comes for a while."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the client prints is not an answer
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                calls.put(pickle.load(sys.stdin.buffer))
        os._exit(0)  # the parent has gone, whatever is being done here

    def say(word: str, value: Any) -> None:
        pickle.dump((word, value), answers, protocol=5)
        answers.flush()

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            settings, name, arguments, seconds = calls.get(timeout=IDLE)
        except queue.Empty:
            os._exit(0)
        try:
            answer = _Client(settings, seconds, lambda text: say("tell", text)).answer(name, arguments)
        except AutoMetaError as error:
            say("error", error)
        except Exception as error:  # noqa: BLE001 - it is raised on the other side
            say("error", OpenMLError(f"the OpenML client failed: {type(error).__name__}: {error}"))
        else:
            say("answer", answer)


class _Damaged(Exception):
    """What arrived, or what the cache holds, is not whole."""


class _Offline(Exception):
    """The network was needed."""


class _Client:
    """The official client under the settings of one call. Lives in a process of its own, whose globals it may set."""

    def __init__(self, settings: _Settings, seconds: float, tell: Tell) -> None:
        import logging
        import warnings

        if settings.cache:
            os.environ["OPENML_CACHE_DIR"] = settings.cache
        import openml

        warnings.simplefilter("ignore")
        logging.getLogger("openml").setLevel(logging.CRITICAL)
        config = openml.config
        config._setup()  # as the user's configuration file has it
        if settings.cache:
            config.set_root_cache_directory(settings.cache)
        config.server = settings.server or config.server
        config.apikey = settings.key or config.apikey
        config.show_progress = False
        config.connection_n_retries = 1  # `_patient` repeats
        self.openml, self.tell = openml, tell
        self.offline, self.ends = settings.offline, time.monotonic() + seconds
        self.server = config.server
        self.cache = Path(config.get_cache_directory())
        _bound(tell, offline=settings.offline)

    def answer(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """What a method gives; the client's exceptions translated."""
        try:
            return getattr(self, name)(**arguments)
        except AutoMetaError:
            raise
        except Exception as error:
            raise self._translated(error) from error

    # ---------------------------------------------------------------------------------------------- tasks and tables

    def task(self, task_id: int) -> OpenMLTask:
        return self._whole(f"task/{task_id}", lambda: self._lacking_of_task(task_id), lambda: self._task(task_id))

    def table(self, data_id: int) -> OpenMLTable:
        return self._whole(f"data/{data_id}", lambda: self._lacking_of_data(data_id), lambda: self._table(data_id))

    def _whole(self, what: str, lacking: Callable[[], list[str]], read: Callable[[], Any]) -> Any:
        """What `read` gives once it is whole, out of the cache if that has it, fetched under a lock if not."""
        absent, mark = lacking(), self._folder(what) / MARK
        # Without the mark, another process may be writing these very files: that is for the lock to tell.
        if not absent and (self.offline or mark.exists()):
            for _ in range(2):
                try:
                    return read()
                except AutoMetaError:
                    raise
                except Exception as error:  # noqa: BLE001 - what is wrong with a cached file can be anything
                    absent = [f"a whole copy ({_brief(error)})"]
                    self._drop_readings(what)
        if self.offline:
            raise InputError([_not_cached(what, absent, self.cache)])
        with self._lock(what):
            for attempt in range(ATTEMPTS):
                # The copy in ARFF has a checksum: it is tried when parquet keeps failing.
                os.environ["OPENML_SKIP_PARQUET"] = str(attempt >= ATTEMPTS // 2).lower()
                try:
                    if lacking():
                        self.tell(f"fetching openml:{what}")
                    value = read()
                    mark.touch()
                    return value
                except AutoMetaError:
                    raise
                except Exception as error:
                    if self._final(error):
                        raise
                    problem = _brief(error)
                    self.tell(f"openml:{what} is not whole, and is fetched again: {problem}")
                    self._purge(what)
                finally:
                    os.environ.pop("OPENML_SKIP_PARQUET", None)
        raise OpenMLError(f"openml:{what} arrived damaged {ATTEMPTS} times: {problem}. Try again later.")

    def _task(self, task_id: int) -> OpenMLTask:
        openml = self.openml
        task = openml.tasks.get_task(task_id, download_splits=True, **_ALL)
        kinds = {
            openml.tasks.TaskType.SUPERVISED_CLASSIFICATION: "classification",
            openml.tasks.TaskType.SUPERVISED_REGRESSION: "regression",
        }
        kind = kinds.get(task.task_type_id)
        if kind is None:
            what = f"is of the type {task.task_type!r}"
            raise InputError(Problem(f"openml:task/{task_id}", what, "Classification and regression can be done."))
        table = self._table(task.dataset_id, keep=task.target_name)
        if task.target_name not in table.frame:
            raise _Damaged(f"its table has no column {task.target_name!r}")
        splits = self._splits(task, len(table.frame))
        return OpenMLTask(task_id, cast(Any, kind), table, task.target_name, splits, task.evaluation_measure or None)

    def _splits(self, task: Any, n: int) -> tuple[Split, ...]:
        """The splits of a task, complete: all rows in each, and each row tested once by each crossed repeat."""
        found = task.download_split().split
        splits = [
            (int(repeat), int(fold), np.asarray(samples[0].train, np.intp), np.asarray(samples[0].test, np.intp))
            for repeat, folds in sorted(found.items())
            for fold, samples in sorted(folds.items())
        ]
        procedure = task.estimation_procedure or {}
        given = procedure.get("parameters") or {}
        repeats, folds = (int(given.get(name) or 1) for name in ("number_repeats", "number_folds"))
        if len(splits) != repeats * folds:
            raise _Damaged(f"{len(splits)} of {repeats * folds} splits")
        crossed = procedure.get("type") == "crossvalidation"
        for repeat in range(repeats):
            tests = []
            for _, fold, train, test in (split for split in splits if split[0] == repeat):
                uses = np.bincount(np.concatenate([train, test]), minlength=n)
                if not len(train) or not len(test) or len(uses) != n or (uses != 1).any():
                    raise _Damaged(f"the split of repeat {repeat}, fold {fold} is not of all {n} rows")
                tests.append(test)
            if crossed and len(np.unique(np.concatenate(tests))) != n:
                raise _Damaged(f"the folds of repeat {repeat} do not test every row")
        return tuple(splits)

    def _table(self, data_id: int, keep: str = "") -> OpenMLTable:
        import pandas as pd

        dataset = self.openml.datasets.get_dataset(data_id, **_ALL)
        frame, _, _, _ = dataset.get_data(include_row_id=True, include_ignore_attribute=True)
        features = dataset.features
        announced = (dataset.qualities or {}).get("NumberOfInstances")
        if len(frame.columns) != len(features):
            raise _Damaged(f"{len(frame.columns)} of {len(features)} columns")
        if announced is not None and len(frame) != int(announced):
            raise _Damaged(f"{len(frame)} of {int(announced)} rows")
        nominal = {feature.name for feature in features.values() if feature.data_type == "nominal"}
        nominal |= {c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)}
        left_out = {*_listed(dataset.row_id_attribute), *_listed(dataset.ignore_attribute)} - {keep}
        frame = frame[[c for c in frame.columns if c not in left_out]]
        frame = frame.astype({c: "category" for c in frame.columns if c in nominal})
        target = dataset.default_target_attribute or None
        if target not in frame:  # several targets, or none
            target = None
        return OpenMLTable(data_id, dataset.name, frame, target, tuple(c for c in frame.columns if c in nominal))

    def _lacking_of_data(self, data_id: int) -> list[str]:
        """Files of a dataset that the cache lacks, or has in pieces."""
        folder = self._folder(f"data/{data_id}")
        lacking = [name for name in ("description.xml", "features.xml") if _parsed(folder / name) is None]
        parquet = [folder / f"dataset_{data_id}.pq", folder / "dataset.pq"]
        if not any(map(_has_footer, parquet)) and not (folder / "dataset.arff").is_file():
            lacking.append("the data")
        return lacking

    def _lacking_of_task(self, task_id: int) -> list[str]:
        """Files of a task and of its dataset that the cache lacks, or has in pieces."""
        folder = self._folder(f"task/{task_id}")
        data_id = _dataset_of(folder)
        if data_id is None:
            return ["task.xml"]
        lacking = [] if (folder / "datasplits.arff").is_file() else ["datasplits.arff"]
        return lacking + [f"{name} of dataset {data_id}" for name in self._lacking_of_data(data_id)]

    def _folder(self, what: str) -> Path:
        noun, _, number = what.partition("/")
        return self.cache / {"task": "tasks", "data": "datasets"}[noun] / number

    def _folders(self, what: str) -> list[Path]:
        """Of a task and its dataset, or of a dataset."""
        folder = self._folder(what)
        data_id = _dataset_of(folder)
        return [folder] if data_id is None else [folder, self._folder(f"data/{data_id}")]

    def _purge(self, what: str) -> None:
        """Throws away what the cache holds of a task and its dataset."""
        import shutil

        for folder in self._folders(what):
            shutil.rmtree(folder, ignore_errors=True)

    def _drop_readings(self, what: str) -> None:
        """Throws away the client's pickles of files that it has read, which may be what is damaged."""
        for folder in self._folders(what):
            for pickled in (*folder.glob("*.pkl"), *folder.glob("*.pkl.py3")):
                pickled.unlink(missing_ok=True)

    @contextmanager
    def _lock(self, what: str) -> Iterator[None]:
        """One process at a time fetches into a cache; the system frees the lock of one that was killed."""
        from filelock import FileLock, Timeout

        folder = self.cache / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "autometa.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.tell(f"waiting for another process that fetches, before openml:{what}")
            lock.acquire(timeout=max(self.ends - time.monotonic(), 0.0))
        try:
            yield
        finally:
            lock.release()

    # ------------------------------------------------------------------------------------------------------- suites

    def suite(self, name: str) -> Suite:
        def fetch() -> dict[str, Any]:
            found = self.openml.study.get_suite(int(name) if name.isdecimal() else name)
            return asdict(Suite(int(found.id), found.name, tuple(map(int, found.tasks or ()))))

        kept = self._kept(f"suite/{name}", fetch)
        return Suite(kept["id"], kept["name"], tuple(kept["task_ids"]))

    def missing(self, suite: str | Suite) -> list[Problem]:
        self.offline = True
        if isinstance(suite, str):
            try:
                suite = self.suite(suite)
            except InputError as error:
                return list(error.problems)
        absent = {task_id: self._lacking_of_task(task_id) for task_id in suite.task_ids}
        return [_not_cached(f"task/{task_id}", what, self.cache) for task_id, what in absent.items() if what]

    def _kept(self, what: str, fetch: Callable[[], Any]) -> Any:
        """What `fetch` gives, kept for when there is no network; the client itself keeps no listings."""
        path = self.cache / "autometa" / f"{quote(what, safe='')[:80]}-{_digest(what)}.json.gz"
        if self.offline:
            try:
                return json.loads(gzip.decompress(path.read_bytes()))
            except (OSError, ValueError, EOFError):
                raise InputError([_not_cached(what, ["its listing"], self.cache)]) from None
        value = fetch()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(gzip.compress(json.dumps(value).encode(), 6))
        partial.replace(path)
        return value

    # -------------------------------------------------------------------------------------------------- evaluations

    def evaluations(
        self, task_id: int, flows: list[int | str], measures: list[str], limit: int | None
    ) -> list[dict[str, Any]]:
        asked = json.dumps([task_id, flows, measures, limit])
        return self._kept(f"evaluations/{asked}", lambda: self._evaluations(task_id, flows, measures, limit))

    def _evaluations(
        self, task_id: int, flows: list[int | str], measures: list[str], limit: int | None
    ) -> list[dict[str, Any]]:
        numbers = [int(flow) for flow in flows if str(flow).isdecimal()] or None
        words = [str(flow).casefold() for flow in flows if not str(flow).isdecimal()]

        def listed(measure: str, **filters: Any) -> dict[int, Any]:
            no_result = self.openml.exceptions.OpenMLServerNoResult
            try:
                return self.openml.evaluations.list_evaluations(
                    measure, tasks=[task_id], output_format="object", **filters
                )
            except no_result:
                return {}

        # A name is looked for in what comes, so all of it has to come; numbers are for the server to find.
        found = {}
        if not words or numbers:
            found = listed(measures[0], flows=numbers, size=limit)
        if words:
            named = listed(measures[0], size=None)
            found |= {r: e for r, e in named.items() if any(word in e.flow_name.casefold() for word in words)}
        runs = sorted(found)[:limit]
        values: dict[int, dict[str, float]] = {run: {measures[0]: found[run].value} for run in runs}
        for measure in measures[1:]:
            for chunk in _chunks(runs):
                for run, evaluation in listed(measure, runs=chunk, size=None).items():
                    values[run][measure] = evaluation.value
        setups: dict[int, Any] = {}
        for chunk in _chunks(sorted({int(found[run].setup_id) for run in runs})):
            setups |= self.openml.setups.list_setups(setup=chunk, output_format="object")
        out = []
        for run in runs:
            entry = found[run]
            parameters = getattr(setups.get(int(entry.setup_id)), "parameters", None) or {}
            out.append(
                {
                    "run_id": run,
                    **{name: int(getattr(entry, name)) for name in ("task_id", "data_id", "setup_id", "flow_id")},
                    "data_name": entry.data_name,
                    "flow_name": entry.flow_name,
                    "values": {m: float(v) for m, v in values[run].items() if v is not None},
                    "setup": [
                        {
                            "component": p.flow_name,
                            "name": p.parameter_name,
                            "value": p.value,
                            "default": p.default_value,
                        }
                        for p in parameters.values()
                    ],
                }
            )
        return out

    # ------------------------------------------------------------------------------------------------------ publish

    def publish(
        self,
        task_id: int,
        flow: str,
        version: str,
        description: str,
        parameters: dict[str, Any],
        predictions: pd.DataFrame,
        dry: bool,
    ) -> Publication:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- errors

    def _final(self, error: Exception) -> bool:
        """Whether the server has said no, or `_bound` has run out of patience with it."""
        import requests

        exceptions = self.openml.exceptions
        no = (exceptions.OpenMLServerError, exceptions.OpenMLPrivateDatasetError, requests.RequestException)
        return isinstance(error, (*no, _Offline))

    def _translated(self, error: Exception) -> AutoMetaError:
        import requests
        from filelock import Timeout

        exceptions = self.openml.exceptions
        key = "Pass a key (--key), or set AUTOMETA_OPENML_KEY."
        code = getattr(error, "code", None)
        if isinstance(error, exceptions.OpenMLNotAuthorizedError) or code in (102, 103, 105):
            return InputError(
                Problem(self.server, "needs a key" if not code else f"refuses the key: {_brief(error)}", key)
            )
        if isinstance(error, exceptions.OpenMLPrivateDatasetError) or code == 112:
            return InputError(Problem(self.server, "the dataset is private", key))
        if code in _UNKNOWN:
            what = re.sub(r".*/api/v1/(xml|json)/", "", str(getattr(error, "url", "")))
            what = what.replace("study/", "suite/")
            return InputError(Problem(f"openml:{what}", f"there is no such {_UNKNOWN[code]} at {self.server}"))
        if isinstance(error, ValueError) and "entity type" in str(error):
            return InputError(Problem(self.server, "this is a study of runs, not a suite of tasks"))
        if isinstance(error, _Offline):
            return InputError(Problem(self.server, "is needed, but --offline was asked for", "Leave it out."))
        if isinstance(error, Timeout):
            return OpenMLError("another process was fetching from OpenML until the deadline. Allow more time.")
        if isinstance(error, (requests.exceptions.ConnectionError, requests.exceptions.Timeout)):
            return OpenMLError(f"{self.server} cannot be reached: {_brief(error)}. Try again later, or --offline.")
        if code is not None:
            return OpenMLError(f"{self.server} answers with error {code}: {_brief(error)}.")
        return OpenMLError(f"{self.server} does not work as it should: {_brief(error)}. Try again later, or --offline.")


_UNKNOWN = {
    111: "dataset",
    271: "dataset",
    361: "dataset",
    151: "task",
    281: "setup",
    592: "suite",
    601: "suite",
    181: "flow",
}


def _bound(tell: Tell, *, offline: bool) -> None:
    """Gives every request of this process what the client does not: a time limit, and patience with what passes."""
    import requests
    import urllib3
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError, Timeout

    passing = (requests.exceptions.ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
    pool, session = urllib3.connectionpool.HTTPConnectionPool, requests.Session
    plain_open = getattr(pool.urlopen, "plain", pool.urlopen)
    plain_send = getattr(session.send, "plain", session.send)

    def urlopen(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        if offline:
            raise _Offline(url)
        return plain_open(self, method, url, *args, **{**options, "timeout": urllib3.Timeout(STALL)})

    def send(self: Any, request: Any, **options: Any) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                response = plain_send(self, request, **options)
                why = _passing(response, request.method)
                if why is None or attempt == TRIES:
                    return response
            except passing as error:
                absent = "NewConnectionError" in repr(error)
                if attempt >= (REFUSED_TRIES if absent else TRIES) or (request.method != "GET" and not absent):
                    raise
                why = _brief(error)
            pause = min(0.25 * 2 ** (attempt - 1), 8.0)
            tell(f"{request.path_url.split('?')[0]}: {why}; trying again in {pause:g} s")
            time.sleep(pause)
        raise AssertionError

    changes: tuple[tuple[Any, Any, Any], ...] = ((pool, urlopen, plain_open), (session, send, plain_send))
    for owner, changed, plain in changes:
        changed.plain = plain
        setattr(owner, changed.__name__, changed)


def _passing(response: Any, method: str) -> str | None:
    """Why an answer is not one to keep but will be good another time; None when it is good, or final."""
    from xml.etree import ElementTree

    if response.status_code == 412 and b"<oml:code>107<" in response.content:
        return "the server is busy"
    if method != "GET":  # nobody knows what became of it
        return None
    if response.status_code >= 500:
        return f"HTTP {response.status_code}"
    if response.status_code in (200, 412) and "xml" in response.headers.get("Content-Type", ""):
        try:
            ElementTree.fromstring(response.content)
        except ElementTree.ParseError:
            return "the answer is cut"
    return None


def _not_cached(what: str, lacking: Sequence[str], cache: Path) -> Problem:
    fix = "Fetch it once without --offline."
    return Problem(f"openml:{what}", f"offline, and the cache {cache} lacks {', '.join(lacking)}", fix)


def _parsed(path: Path) -> Any:
    """The root of an XML file, None where there is no whole one."""
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError):
        return None


def _dataset_of(folder: Path) -> int | None:
    """The dataset of the task whose files are in `folder`."""
    root = _parsed(folder / "task.xml")
    found = None if root is None else root.find(".//{*}data_set_id")
    return None if found is None or not found.text else int(found.text)


def _has_footer(path: Path) -> bool:
    """Whether a parquet file begins and ends as one: a cut one does not."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(-4, os.SEEK_END)
            return head == file.read() == b"PAR1"
    except OSError:
        return False


def _listed(names: Any) -> list[str]:
    return [] if not names else [names] if isinstance(names, str) else list(names)


def _chunks(items: list[int]) -> list[list[int]]:
    """Lists that fit into an address."""
    return [items[i : i + 100] for i in range(0, len(items), 100)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _brief(error: BaseException) -> str:
    """The first line of what an exception says."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return text if len(text) <= 200 else f"{text[:200]} ..."
