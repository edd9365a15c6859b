"""The client under the settings of one call, and what it returns checked.

Everything here runs in a process of its own, whose globals (the client's settings, the environment) it may set.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import numpy as np

from autometa.errors import AutoMetaError, InputError, OpenMLError, Problem
from autometa.openml.process import Settings, Tell
from autometa.openml.records import OpenMLTable, OpenMLTask, Publication, Split, Suite
from autometa.openml.retry import TRIES, Offline, be_patient, brief, pause_after

if TYPE_CHECKING:
    import pandas as pd

MARK = "whole.autometa"  # an empty file beside what was found whole, so that it can be read without the lock
ATTEMPTS = 6  # at a whole task or table that arrives damaged

PAGE = 10_000  # runs, the most that OpenML lists at once
MOST_PAGES = 100


class _Damaged(Exception):
    """What arrived, or what the cache holds, is not whole."""


class Client:
    """The official client under the settings of one call. Lives in a process of its own, whose globals it may set."""

    def __init__(self, settings: Settings, seconds: float, tell: Tell) -> None:
        import logging
        import warnings

        os.environ.pop("OPENML_CACHE_DIR", None)
        if settings.cache:  # before the client is imported, so that it makes no other folder
            os.environ["OPENML_CACHE_DIR"] = settings.cache
        import openml

        warnings.simplefilter("ignore")
        logging.getLogger("openml").setLevel(logging.CRITICAL)
        config = openml.config
        config._setup()  # as the user's configuration file has it
        config.server = settings.server or config.server
        config.apikey = settings.key or config.apikey
        config.show_progress = False
        config.connection_n_retries = 1  # `be_patient` repeats
        self.openml, self.tell = openml, tell
        self.offline, self.ends = settings.offline, time.monotonic() + seconds
        self.server = config.server
        self.cache = Path(config.get_cache_directory())
        be_patient(tell, offline=settings.offline)
        # Of itself it throws away the whole folder of a dataset when one request for it fails. `_purge` decides here.
        for module in (openml.utils, openml.datasets.functions):
            module._remove_cache_dir_for_id = _keep

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
        """See `OpenML.task`, and so on below."""
        return self._whole(f"task/{task_id}", lambda: self._lacking_of_task(task_id), lambda: self._task(task_id))

    def table(self, data_id: int) -> OpenMLTable:
        """A dataset."""
        return self._whole(f"data/{data_id}", lambda: self._lacking_of_data(data_id), lambda: self._table(data_id))

    def _whole(self, what: str, lacking: Callable[[], list[str]], read: Callable[[], Any]) -> Any:
        """What `read` gives once it is whole, out of the cache if that has it, fetched under a lock if not."""
        absent, mark = lacking(), self._folder(what) / MARK
        # Without the mark, another process may be writing these very files: that is for the lock to tell.
        if not absent and (self.offline or mark.exists()):
            for pickles in ("*.xml.pkl", "*.pkl.py3"):  # the client's own copies; the first are cheap to make again
                self._drop(what, pickles)
                try:
                    with self._parquet(what):
                        return read()
                except AutoMetaError:
                    raise
                except Exception as error:  # noqa: BLE001 - what is wrong with a cached file can be anything
                    absent = [f"a whole copy ({brief(error)})"]
        if self.offline:
            raise InputError([_not_cached(what, absent, self.cache)])
        with self._lock(what):
            for attempt in range(ATTEMPTS):
                try:
                    if lacking():
                        self.tell(f"fetching openml:{what}")
                    # The copy in ARFF has a checksum: it is tried when parquet keeps failing.
                    with self._parquet(what, wanted=attempt < ATTEMPTS // 2):
                        value = read()
                    mark.touch()
                    return value
                except AutoMetaError:
                    raise
                except Exception as error:
                    if self._final(error):
                        raise
                    problem = brief(error)
                    self.tell(f"openml:{what} is not whole, and is fetched again: {problem}")
                    self._purge(what)
        raise OpenMLError(f"openml:{what} arrived damaged {ATTEMPTS} times: {problem}. Try again later.")

    @contextmanager
    def _parquet(self, what: str, *, wanted: bool = True) -> Iterator[None]:
        """Lets the client take parquet or ARFF: left alone, it asks for parquet even where it has the other."""
        folder = self._folders(what)[-1]
        other = (folder / "dataset.arff").is_file() and not any(folder.glob("*.pq"))
        os.environ["OPENML_SKIP_PARQUET"] = str(other or not wanted).lower()
        try:
            yield
        finally:
            del os.environ["OPENML_SKIP_PARQUET"]

    def _task(self, task_id: int) -> OpenMLTask:
        openml = self.openml
        task = openml.tasks.get_task(task_id, **self._parts(_dataset_of(self._folder(f"task/{task_id}"))))
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
        """The splits of a task, complete where they can prove it; others are fetched twice and compared."""
        found = task.download_split().split
        splits = tuple(
            (int(repeat), int(fold), np.asarray(samples[0].train, np.intp), np.asarray(samples[0].test, np.intp))
            for repeat, folds in sorted(found.items())
            for fold, samples in sorted(folds.items())
        )
        procedure = task.estimation_procedure or {}
        given = procedure.get("parameters") or {}
        repeats, folds = (int(given.get(name) or 1) for name in ("number_repeats", "number_folds"))
        crossed = procedure.get("type") == "crossvalidation"
        problem = _incomplete(splits, repeats, folds, n, crossed=crossed)
        if problem and (crossed or not self._twice_the_same(task)):
            raise _Damaged(problem)
        return splits

    def _twice_the_same(self, task: Any) -> bool:
        """Whether the file of splits is what the server sends a second time, or was so when it was fetched."""
        folder = self._folder(f"task/{task.task_id}")
        if (folder / MARK).exists() or self.offline:
            return (folder / MARK).exists()
        text = self.openml._api_calls._download_text_file(task.estimation_procedure["data_splits_url"])
        return text == (folder / "datasplits.arff").read_text(encoding="utf-8")

    def _table(self, data_id: int, keep: str = "") -> OpenMLTable:
        import pandas as pd

        parts = self._parts(data_id)
        dataset = self.openml.datasets.get_dataset(data_id, **parts)
        frame, _, _, _ = dataset.get_data(include_row_id=True, include_ignore_attribute=True)
        features = dataset.features
        announced = (dataset.qualities or {}).get("NumberOfInstances") if parts["download_qualities"] else None
        if len(frame.columns) != len(features):
            raise _Damaged(f"{len(frame.columns)} of {len(features)} columns")
        if announced is not None and len(frame) != int(announced):
            raise _Damaged(f"{len(frame)} of {int(announced)} rows")
        frame.columns = [features[i].name for i in sorted(features)]  # ARFF's reader spoils names with quotes in them
        nominal = {feature.name for feature in features.values() if feature.data_type == "nominal"}
        nominal |= {c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)}
        left_out = {*_listed(dataset.row_id_attribute), *_listed(dataset.ignore_attribute)} - {keep}
        frame = frame[[c for c in frame.columns if c not in left_out]].copy()
        # ARFF brings its categories in an order that means nothing, and truth values may come as such.
        for c in nominal & set(frame.columns):
            frame[c] = frame[c].astype("category").cat.as_unordered()
        target = dataset.default_target_attribute or None
        if target not in frame:  # several targets, or none
            target = None
        return OpenMLTable(data_id, dataset.name, frame, target, tuple(c for c in frame.columns if c in nominal))

    def _parts(self, data_id: int | None) -> dict[str, bool]:
        """The parts of a dataset that are asked for: offline the qualities, which say how many rows, only if there."""
        known = data_id is not None and _parsed(self._folder(f"data/{data_id}") / "qualities.xml") is not None
        qualities = known or not self.offline
        return {"download_data": True, "download_features_meta_data": True, "download_qualities": qualities}

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

    def _drop(self, what: str, pickles: str) -> None:
        """Throws away some of the client's pickles of what it has read."""
        for folder in self._folders(what):
            for pickled in folder.glob(pickles):
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
        """A suite by its number or alias."""

        def fetch() -> dict[str, Any]:
            found = self.openml.study.get_suite(int(name) if name.isdecimal() else name)
            return asdict(Suite(int(found.id), found.name, tuple(map(int, found.tasks or ()))))

        kept = self._kept(f"suite/{name}", fetch)
        return Suite(kept["id"], kept["name"], tuple(kept["task_ids"]))

    def missing(self, suite: str | Suite) -> list[Problem]:
        """What the cache lacks of a suite."""
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
        """Past runs of one task."""
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

        found = {} if words and not numbers else listed(measures[0], flows=numbers, size=limit)
        for page in range(MOST_PAGES if words else 0):  # names are looked for in what comes, page after page
            named = listed(measures[0], size=PAGE, offset=page * PAGE)
            found |= {run: e for run, e in named.items() if any(word in e.flow_name.casefold() for word in words)}
            if len(named) < PAGE or (limit is not None and len(found) >= limit):
                break
        runs = sorted(found)[:limit]
        values: dict[int, dict[str, float]] = {run: {measures[0]: found[run].value} for run in runs}
        for measure in measures[1:]:
            for chunk in _chunks(runs):
                for run, evaluation in listed(measure, runs=chunk, size=None).items():
                    values.setdefault(run, {})[measure] = evaluation.value
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
        """Uploads a flow, unless it is there, and a run."""
        openml, task = self.openml, self.task(task_id)
        if problems := _unfit(task, predictions):
            raise InputError(problems)
        if not dry and not openml.config.apikey:
            raise InputError(Problem(self.server, "needs a key to publish", _KEY))
        with self._parquet(f"task/{task_id}"):
            theirs = openml.tasks.get_task(task_id, **self._parts(task.table.data_id))
        values = {name: json.dumps(value) for name, value in parameters.items()}
        method = openml.flows.OpenMLFlow(
            name=flow, description=description, model=None, components={}, parameters=values,
            parameters_meta_info={name: {"description": None, "data_type": None} for name in values},
            external_version=version, tags=[], language="English", dependencies=version, extension=_NoExtension(),
        )  # fmt: skip
        run = openml.runs.OpenMLRun(
            task_id, None, task.table.data_id, flow=method, flow_name=flow,
            data_content=_rows(theirs, task, predictions),
            parameter_settings=[{"oml:name": name, "oml:value": value} for name, value in values.items()],
        )  # fmt: skip
        if dry:
            return Publication(None, None, None, method._to_xml(), run._to_xml(), len(predictions))

        def there() -> int | None:
            return openml.flows.flow_exists(flow, version) or None

        def arrived() -> int | None:
            new = self._runs(task_id, run.flow_id) - before
            return new.pop() if len(new) == 1 else None

        self.tell(f"publishing a run of {flow} on task {task_id}")
        method.flow_id = run.flow_id = there() or self._upload(lambda: method.publish().flow_id, there)
        for setting in run.parameter_settings:
            setting["oml:component"] = run.flow_id
        before = self._runs(task_id, run.flow_id)
        run.run_id = self._upload(lambda: run.publish().run_id, arrived)
        return Publication(run.flow_id, run.run_id, run.openml_url, method._to_xml(), run._to_xml(), len(predictions))

    def _upload(self, send: Callable[[], Any], arrived: Callable[[], int | None]) -> int:
        """The number of what was uploaded; one that broke off may have arrived, so that is looked up first."""
        for attempt in range(1, TRIES + 1):
            try:
                return int(send())
            except self.openml.exceptions.OpenMLServerException:  # it arrived, and the answer is no
                raise
            except Exception as error:
                if (number := arrived()) is not None:
                    return number
                if attempt == TRIES:
                    raise
                self.tell(f"the upload broke off, and is tried again: {brief(error)}")
                time.sleep(pause_after(attempt))
        raise AssertionError

    def _runs(self, task_id: int, flow_id: int) -> set[int]:
        try:
            found = self.openml.runs.list_runs(task=[task_id], flow=[flow_id], output_format="dataframe")
        except self.openml.exceptions.OpenMLServerNoResult:
            return set()
        return set() if found.empty else {int(run) for run in found["run_id"]}

    # ------------------------------------------------------------------------------------------------------- errors

    def _final(self, error: Exception) -> bool:
        """Whether the server has said no, or `be_patient` has run out of patience with it."""
        import requests

        exceptions = self.openml.exceptions
        no = (exceptions.OpenMLServerError, exceptions.OpenMLPrivateDatasetError, requests.RequestException)
        return isinstance(error, (*no, Offline))

    def _translated(self, error: Exception) -> AutoMetaError:
        import requests
        from filelock import Timeout

        exceptions = self.openml.exceptions
        code = error.code if isinstance(error, exceptions.OpenMLServerException) else None
        if isinstance(error, exceptions.OpenMLNotAuthorizedError) or code in (102, 103, 105):
            return InputError(
                Problem(self.server, "needs a key" if not code else f"refuses the key: {brief(error)}", _KEY)
            )
        if isinstance(error, exceptions.OpenMLPrivateDatasetError) or code == 112:
            return InputError(Problem(self.server, "the dataset is private", _KEY))
        if code in _UNKNOWN:
            what = re.sub(r".*/api/v1/(xml|json)/", "", str(getattr(error, "url", "")))
            what = what.replace("study/", "suite/")
            return InputError(Problem(f"openml:{what}", f"there is no such {_UNKNOWN[code]} at {self.server}"))
        if isinstance(error, ValueError) and "entity type" in str(error):
            return InputError(Problem(self.server, "this is a study of runs, not a suite of tasks"))
        if isinstance(error, Offline):
            return InputError(Problem(self.server, "is needed, but --offline was asked for", "Leave it out."))
        if isinstance(error, Timeout):
            return OpenMLError("another process was fetching from OpenML until the deadline. Allow more time.")
        if isinstance(error, (requests.exceptions.ConnectionError, requests.exceptions.Timeout)):
            return OpenMLError(f"{self.server} cannot be reached: {brief(error)}. Try again later, or --offline.")
        if code is not None:
            return OpenMLError(f"{self.server} answers with error {code}: {brief(error)}.")
        return OpenMLError(f"{self.server} does not work as it should: {brief(error)}. Try again later, or --offline.")


_KEY = "Set AUTOMETA_OPENML_KEY, or pass OpenML(key=...)."
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


def _incomplete(splits: Sequence[Split], repeats: int, folds: int, n: int, *, crossed: bool) -> str | None:
    """Why splits are not all of a procedure's: each uses every row once, and crossed folds test every row once."""
    if len(splits) != repeats * folds:
        return f"{len(splits)} of {repeats * folds} splits"
    tested = np.zeros((repeats, n), np.intp)
    for repeat, fold, train, test in splits:
        uses = np.bincount(np.concatenate([train, test]), minlength=n)
        if not len(train) or not len(test) or len(uses) != n or (uses != 1).any():
            return f"the split of repeat {repeat}, fold {fold} is not of all {n} rows"
        tested[repeat, test] += 1
    return "the folds do not test every row once" if crossed and (tested != 1).any() else None


def _keep(key: str, cache_dir: Path) -> None:
    """Instead of the client's throwing away."""


class _NoExtension:
    """What the client wants to know how a flow becomes a model; ours does not."""


def _unfit(task: OpenMLTask, predictions: pd.DataFrame) -> list[Problem]:
    """Why predictions are not those of a task: one row for each test row of each split, and what it takes."""
    where = f"predictions for openml:task/{task.task_id}"
    classes = [] if task.kind == "regression" else _labels(task)
    probabilities = [f"proba_{label}" for label in classes]
    lacking = [c for c in ("repeat", "fold", "row", "prediction", *probabilities) if c not in predictions]
    if lacking:
        return [Problem(where, f"no column {', '.join(map(repr, lacking))}")]
    problems = []
    given = {key: sorted(part["row"]) for key, part in predictions.groupby(["repeat", "fold"])}
    for repeat, fold, _, test in task.splits:
        if given.pop((repeat, fold), None) != sorted(test):
            problems.append(Problem(where, f"not one for each test row of repeat {repeat}, fold {fold}"))
    problems += [Problem(where, f"there is no repeat {repeat}, fold {fold}") for repeat, fold in given]
    numbers = predictions[probabilities or ["prediction"]].to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        problems.append(Problem(where, f"{int((~np.isfinite(numbers)).any(axis=1).sum())} rows without finite numbers"))
    if classes and (unknown := set(predictions["prediction"].astype(str)) - set(classes)):
        problems.append(Problem(where, f"labels that the task does not know: {', '.join(sorted(unknown))}"))
    return problems


def _labels(task: OpenMLTask) -> list[str]:
    return [str(label) for label in task.table.frame[task.target].astype("category").cat.categories]


def _rows(theirs: Any, task: OpenMLTask, predictions: pd.DataFrame) -> list[list[Any]]:
    """Predictions in the order that OpenML's file has."""
    from openml.runs.functions import format_prediction

    truth, classes = task.table.frame[task.target], [] if task.kind == "regression" else _labels(task)
    rows = []
    for row in predictions.to_dict(orient="records"):
        index = int(row["row"])
        said, was = row["prediction"], truth.iloc[index]
        said, was = (str(said), str(was)) if classes else (float(said), float(was))
        probabilities = {label: float(row[f"proba_{label}"]) for label in classes} or None
        rows.append(
            format_prediction(theirs, int(row["repeat"]), int(row["fold"]), index, said, was, proba=probabilities)
        )
    return rows


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
