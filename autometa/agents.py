"""What an agent may ask, over the Model Context Protocol: the memory before it trains, a search, its answers.

    recommend  what to try first on a table, and why: nothing is fitted
    fit        begins a search and tells where its run is
    status     what a run has found so far, the time left, what is being tried
    explain    which columns a model needs, or why rows are answered as they are
    predict    answers for rows, or for a table into a file
    memory     how much is remembered, and which past tasks resemble a table

Each is a function that takes and gives what JSON has; `server` puts them behind the official SDK (extra ``mcp``), for
``autometa mcp`` to run on standard input and output. What is wrong with a call is told as on the command line.

Laws: nothing that somebody else made is trusted, nothing is fetched from the web, and only `fit` and `predict` with
``out`` write.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.errors import AutoMetaError, InputError, Problem, RunError
from autometa.explain import ModelExplanation
from autometa.fitting import fit_file
from autometa.fitting.fit import read_file
from autometa.fitting.learner import with_learner
from autometa.openml import read_table
from autometa.report.words import metric_title, own_parameters, own_unit
from autometa.search import Ends, Run, Settings, Silent, default_folder, leaderboard
from autometa.search.proposals import proposals_for
from autometa.search.sight import sight_of
from autometa.serve.service import Service, explanations, plain
from autometa.values import duration, names
from autometa.watch.followed import Followed

if TYPE_CHECKING:
    import pandas as pd
    from mcp.server import MCPServer

    from autometa.search import Progress
    from autometa.task import Task
    from autometa.transfer import Recommendation

INSTRUCTIONS = (
    "AutoMeta searches for the best model of a table and remembers what worked on others. Ask `recommend` before you "
    "train anything yourself. `fit` begins a search and returns at once; ask `status` until state is finished, then "
    "`predict` and `explain` by the same run."
)
SETTLED_SECONDS = 60.0  # that `fit` waits to hear of a bad table. Judgement: clients wait as long for an answer
SHOWN = 100  # rows of answers that are told; a file takes all. Judgement: what an agent reads
LEADERS = 10  # trials that `status` tells. Judgement, not measured


class _Begun(Followed):
    """Tells when the table has been read, and the search begins."""

    def __init__(self, to: Progress) -> None:
        super().__init__(to)
        self.begun = threading.Event()

    def started(self, *given: Any) -> None:
        """The search is about to begin."""
        super().started(*given)
        self.begun.set()


class Agent:
    """The tools, and the searches that were begun by them.

    Args:
        store: URL or path of the memory; None for the user's own.

    See Also:
        `server`; ``autometa mcp``.

    Example:
        >>> agent = Agent()
        >>> agent.status(str(run))["state"]
        'finished'
        >>> agent.predict(str(run), rows=wines.head(1).to_dict(orient="records"))["predictions"]
        [{'prediction': 0}]
    """

    def __init__(self, store: str | None = None) -> None:
        self.store = store
        self._searches: dict[Path, _Begun] = {}
        self._faults: dict[Path, BaseException] = {}
        self._threads: dict[Path, threading.Thread] = {}

    def recommend(
        self, data: str, target: str | None = None, metric: str | None = None, n: int = 5, families: str | None = None
    ) -> dict[str, Any]:
        """What to try first on a table, and why, by what worked on similar past tasks. Nothing is fitted.

        Args:
            data: A file (CSV, Excel, parquet, ...), a folder of images by class, or openml:task/31.
            target: Column to predict; by default the one called target, class, label or y, else the last.
            metric: A scikit-learn scorer.
            n: How many configurations.
            families: Only these, with commas between.
        """
        task = self._task(data, target, metric)
        chosen = None if families is None else names(families)
        found, why = proposals_for(task, max(1, n), families=chosen, store=self.store, explain=True)
        assert why is not None
        similar = [{"task": one.task, "similarity": plain(one.similarity)} for one in why.neighbours]
        return {
            "task": task.kind,
            "target": task.target,
            "metric": task.metric,
            "rows": task.n,
            "columns": task.p,
            "recommendations": [_proposal(one) for one in found],
            "similar_past_tasks": similar,
            "abstains": why.abstains,
        }

    def fit(
        self,
        data: str,
        target: str | None = None,
        time: str | None = None,
        trials: int | None = None,
        metric: str | None = None,
        families: str | None = None,
        run: str | None = None,
        encoder: str | None = None,
        fewshot: str | None = None,
    ) -> dict[str, Any]:
        """Begins a search for the best model of a table, and returns at once; `status` tells how far it is.

        Args:
            data: A file (CSV, Excel, parquet, ...), a folder of images with a sub-folder for each class, or
                openml:task/31.
            target: Column to predict; by default the one called target, class, label or y, else the last.
            time: Budget for everything, such as 90s or 5m; by default 60s, or none with trials.
            trials: Configurations to try.
            metric: A scikit-learn scorer; by default AUC, log loss or RMSE.
            families: Only these, with commas between.
            run: Folder to make; by default a new one under autometa_runs.
            encoder: What makes vectors of images or texts: a file (.onnx), timm:NAME, sentence-transformers:NAME or
                fewshot:CHECKPOINT, all of this machine, or builtin, which images have by default.
            fewshot: A few-shot learner that is adapted, too: a checkpoint, or protonet-omniglot.
        """
        _check_encoder(encoder)
        settings = Settings(
            seconds=None if time is None else duration("time", time),
            trials=trials,
            families=None if families is None else names(families),
            store=self.store,
        )
        settings = with_learner(settings, fewshot)
        folder = (Path(run) if run else default_folder(Path(data).name)).absolute()
        if folder in self._threads and self._threads[folder].is_alive():
            raise InputError(Problem(str(folder), "is being searched already", "Ask status."))
        begun = self._searches[folder] = _Begun(Silent())
        self._faults.pop(folder, None)

        def search() -> None:
            try:
                fit_file(
                    data, target=target, metric=metric, encoder=encoder, settings=settings, run=folder, progress=begun
                )
            except BaseException as error:  # noqa: BLE001 - told by status
                self._faults[folder] = error
            finally:
                begun.begun.set()

        thread = self._threads[folder] = threading.Thread(target=search, daemon=True, name="fit")
        thread.start()
        begun.begun.wait(SETTLED_SECONDS)
        if (fault := self._faults.get(folder)) is not None:
            raise fault
        return {"run": str(folder), "state": "running", "notes": begun.notes}

    def status(self, run: str) -> dict[str, Any]:
        """What a run has found so far: state (running, finished, ended), score, leaderboard, what is tried, time left.

        Args:
            run: Its folder, as fit tells it.
        """
        folder = Path(run).absolute()
        if (fault := self._faults.get(folder)) is not None:
            raise RunError(f"The search ended: {fault}")
        thread = self._threads.get(folder)
        alive = thread is not None and thread.is_alive()
        if alive and not (folder / "run.json").exists():
            return {"run": str(folder), "state": "running", "stage": self._searches[folder].now[0]}
        seen = sight_of(Run.open(folder))
        result, metric = seen.result, seen.result.task.metric
        told: dict[str, Any] = {
            "run": str(folder),
            "state": "running" if alive else seen.state,
            "metric": metric_title(metric, result.task.positive_label),
            "seconds": round(seen.elapsed, 1),
            "seconds_left": None if seen.left is None else round(seen.left, 1),
            **Ends.of(result.trials).to_dict(),
            "leaderboard": [
                {
                    "trial": one.number,
                    "family": one.evaluation.config["family"],
                    "score": plain(own_unit(metric, one.evaluation.scores[metric])),
                    "origin": one.origin,
                }
                for one in leaderboard(result.trials, metric)[:LEADERS]
            ],
            "trying": [{"family": one.family, "reason": one.reason} for one in seen.running],
        }
        if alive:
            told |= {"stage": self._searches[folder].now[0], "notes": self._searches[folder].notes}
        if seen.state == "finished":
            told |= {
                "summary": json.loads(json.dumps(result.summary(), default=str)),
                "report": str(folder / "report.html"),
            }
        return told

    def explain(self, run: str, rows: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Which columns a finished model needs; with rows, what each column contributed to their answers.

        Args:
            run: Its folder.
            rows: Such as [{"age": 31, "town": "Ulm"}]; up to 100.
        """
        if rows is not None:
            reply = Service.open(run).explain(_body(rows), "json", {})
            return {"explanations": explanations(reply), "notes": reply.notes}
        Run.open(Path(run))
        known = ModelExplanation.load(Path(run))
        if known is None:
            raise RunError(f"{run} has no explanation. `autometa explain {run}` makes one")
        columns = [{name: plain(value) for name, value in asdict(one).items()} for one in known.importance]
        return {"columns": columns, "said": known.words}

    def predict(
        self,
        run: str,
        rows: list[dict[str, Any]] | None = None,
        data: str | None = None,
        proba: bool = False,
        out: str | None = None,
    ) -> dict[str, Any]:
        """Answers of a finished model, for rows, or for a table in a file.

        Args:
            run: Its folder.
            rows: Such as [{"age": 31, "town": "Ulm"}]; an image is a path, or base64, in its column or in "image".
            data: A file with the columns of the training table, or a folder of images, instead of rows.
            proba: Add the probability of each class.
            out: Write the answers there as CSV; without it the first 100 are told.
        """
        if (rows is None) == (data is None):
            raise InputError(Problem("predict", "takes rows, or data", "Give one of them."))
        service = Service.open(run, rows=10**9, paths=True)
        query = {"proba": "true"} if proba else {}
        if rows is not None:
            reply = service.predict(_body(rows), "json", query)
        else:
            reply = service.predict_table(_table_of(data, service), query)
        told: dict[str, Any] = {"rows": len(reply.table), "notes": reply.notes}
        if out is not None:
            from autometa.files import replace
            from autometa.values import check_writable

            check_writable("out", Path(out))
            replace(Path(out), reply.table.to_csv(index=False).encode())
            return told | {"out": out}
        answers = reply.records()
        return told | {"predictions": answers[:SHOWN], "more": max(len(answers) - SHOWN, 0)}

    def memory(self, data: str | None = None, target: str | None = None) -> dict[str, Any]:
        """How much is remembered; with a table, which past tasks resemble it most.

        Args:
            data: A file, or openml:task/31.
            target: Column to predict.
        """
        from autometa.store import MetaStore

        told: dict[str, Any] = {k: plain(v) if not isinstance(v, dict) else v
                                for k, v in MetaStore.with_shipped(self.store).info().items()}  # fmt: skip
        if data is None:
            return told
        asked = self.recommend(data, target, n=1)
        return told | {name: asked[name] for name in ("similar_past_tasks", "abstains")}

    def _task(self, data: str, target: str | None, metric: str | None) -> Task:
        """A table as a task, as `fit` reads it."""
        return read_file(data, target=target, metric=metric, settings=Settings(store=self.store), progress=Silent())


def _check_encoder(name: str | None) -> None:
    """Refuses an encoder that runs code, which nobody but the user may ask for."""
    from autometa.fewshot.encoders import runs_code

    if name is not None and runs_code(name):
        what = "runs code, which an agent may not begin"
        raise InputError(Problem(f"encoder {name}", what, "Name an .onnx file, or begin the search yourself."))


def _table_of(data: Any, service: Service) -> pd.DataFrame:
    """A table in a file, encoded as the model's training table was."""
    model = service.model
    if model.schema.encoder:
        from autometa.fewshot.embedded import later

        return later(model.schema.encoder, data, **model.schema.reading)
    return read_table(data, allow_empty=True, **model.schema.reading)[0]


def _body(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows).encode()


def _proposal(found: Recommendation) -> dict[str, Any]:
    """A recommendation as JSON has it."""
    config = {name: plain(value) for name, value in own_parameters(found.config).items()}
    expected = None if found.expected is None else plain(np.float64(found.expected))
    return {
        "family": found.config["family"],
        "parameters": config,
        "expected_normalised_score": expected,
        "reason": found.reason,
        "origin": str(found.origin),
    }


TOOLS = ("recommend", "fit", "status", "explain", "predict", "memory")


def server(agent: Agent) -> MCPServer:
    """The tools of an agent, as a server of the official SDK.

    Example:
        >>> server(Agent()).name
        'autometa'
    """
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations

    from autometa import __version__

    made = MCPServer("autometa", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")

    def told(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        @functools.wraps(tool)
        def call(**given: Any) -> dict[str, Any]:
            try:
                return tool(**given)
            except (AutoMetaError, OSError) as error:
                raise ToolError(str(error)) from error

        return call

    for name in TOOLS:
        looks = name not in ("fit", "predict")
        made.tool(name=name, annotations=ToolAnnotations(read_only_hint=looks, open_world_hint=False))(
            told(getattr(agent, name))
        )
    return made
