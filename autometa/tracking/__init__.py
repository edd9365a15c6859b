"""Every finished search as a run of MLflow (extra ``mlflow``): what was asked, what it scored, its report, its model.

    import autometa.tracking

    autometa.tracking.autolog()

From then on each search of this process that ends with a model is logged: into the run that is active, else into one of
its own, where MLflow's own settings say (``mlflow.set_tracking_uri``, ``MLFLOW_TRACKING_URI``).

Law: what MLflow cannot take is a note, and the search is no less finished.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.extras import need
from autometa.fitting.listeners import LISTENERS
from autometa.report import write
from autometa.report.words import own_parameters, own_unit
from autometa.search import Ends, leaderboard

if TYPE_CHECKING:
    from autometa.search import Result

__all__ = ["autolog", "log_result"]

ANSWERING = Path(__file__).with_name("answering.py")  # what MLflow runs to answer by a model that it keeps
LONGEST = 500  # letters of a parameter that older servers of MLflow take


def autolog(*, disable: bool = False, log_models: bool = True) -> None:
    """Logs every search that ends with a model from now on, of estimators and of `autometa.fitting.fit_file`.

    Args:
        disable: Logs none any more.
        log_models: Keep the model as well, so that ``mlflow.pyfunc.load_model`` answers by it.

    Raises:
        InputError: MLflow is not installed.

    See Also:
        `log_result`, for a run that is finished already.

    Example:
        >>> autolog(disable=True)
    """
    LISTENERS.pop("mlflow", None)
    if disable:
        return
    need("mlflow", "autolog")
    LISTENERS["mlflow"] = lambda result: log_result(result, log_model=log_models)


def log_result(result: Result, *, log_model: bool = True) -> str:
    """Logs a finished search, and gives the number that MLflow gave to the run.

    Args:
        result: As `autometa.search.open_run` reads it.
        log_model: Keep the model as well.

    Raises:
        InputError: MLflow is not installed.

    See Also:
        `autolog`.

    Example:
        >>> log_result(open_run(run))  # doctest: +SKIP
        '8a1f...'
    """
    need("mlflow", "log_result")
    import mlflow

    with _active(result) as number:
        mlflow.set_tags(_tags(result))
        mlflow.log_params({name: str(value)[:LONGEST] for name, value in _parameters(result).items()})
        mlflow.log_metrics(_metrics(result))
        _log_curve(result)
        report = result.run / "report.html"
        for path in (report if report.exists() else write(result, report), result.run / "model_card.md"):
            if path.exists():
                mlflow.log_artifact(str(path))
        if log_model:
            _log_model(result)
    return number


@contextmanager
def _active(result: Result) -> Iterator[str]:
    """The run that is active, or one that lasts as long as the block."""
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        yield str(active.info.run_id)
        return
    with mlflow.start_run(run_name=f"{result.task.name} {result.run.name}") as made:
        yield str(made.info.run_id)


def _tags(result: Result) -> dict[str, str]:
    from autometa import __version__

    return {
        "autometa.version": __version__,
        "autometa.run": str(result.run),
        "autometa.fingerprint": str(result.task.fingerprint),
        "autometa.interrupted": str(result.interrupted),
    }


def _parameters(result: Result) -> dict[str, Any]:
    """What was asked, of which table, and the best single pipeline."""
    task, settings = result.task, result.settings
    best = result.best.evaluation.config
    asked = {
        "time": settings.seconds,
        "trials": settings.trials,
        "families": ",".join(settings.families) if settings.families else "all that suit the table",
        "seed": settings.seed,
        "cold": settings.cold,
    }
    table = {"table": task.name, "target": task.target, "kind": task.kind, "metric": task.metric, "rows": task.n,
             "columns": task.p}  # fmt: skip
    own = {f"best.{name}": value for name, value in own_parameters(best).items()}
    return {**table, **asked, "best.family": best["family"], "best.origin": result.best.origin, **own}


def _metrics(result: Result) -> dict[str, float]:
    """The model's score in the metric's own unit, its interval, all scores of the best pipeline, counts of trials."""
    metric = result.task.metric
    found = {metric.removeprefix("neg_"): own_unit(metric, result.score), "seconds": result.seconds}
    if result.interval is not None:
        low, high = sorted(own_unit(metric, end) for end in result.interval)
        found |= {f"{metric.removeprefix('neg_')}_low": low, f"{metric.removeprefix('neg_')}_high": high}
    scores = result.best.evaluation.scores
    found |= {f"best_pipeline.{name.removeprefix('neg_')}": own_unit(name, score) for name, score in scores.items()}
    found |= {f"trials.{how}": float(count) for how, count in Ends.of(result.trials).to_dict().items()}
    return {_name(name): float(value) for name, value in found.items() if math.isfinite(value)}


def _log_curve(result: Result) -> None:
    """The best so far with each trial, as a curve over the trials."""
    import mlflow
    from mlflow.entities import Metric

    metric, active = result.task.metric, mlflow.active_run()
    assert active is not None
    scored = sorted(leaderboard(result.trials, metric), key=lambda row: row.finished)
    begun, best, curve = int(active.info.start_time), -math.inf, list[Metric]()
    for step, row in enumerate(scored):
        best = max(best, row.evaluation.scores[metric])
        value = own_unit(metric, best)
        curve.append(Metric("best_so_far", value, begun + round(1000 * row.finished), step))
    for start in range(0, len(curve), 1000):  # as many as a request of MLflow takes
        mlflow.MlflowClient().log_batch(active.info.run_id, metrics=curve[start : start + 1000])


def _log_model(result: Result) -> None:
    """The model as MLflow's own: it answers a table with the columns of the training table."""
    import logging

    import mlflow

    from autometa import __version__

    logging.getLogger("mlflow.models.model").setLevel(logging.ERROR)  # that there is no signature: columns may be mixed
    mlflow.pyfunc.log_model(
        name="model",
        python_model=str(ANSWERING),
        artifacts={"model": str(result.model)},
        pip_requirements=[f"autometa-ml=={__version__}"],
    )


def _name(text: str) -> str:
    """A name that MLflow takes: letters, digits and a few signs."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in text)
