"""AutoMeta as TabArena runs a system: one split of a task, in the time, cores and memory of the run.

Time, cores, memory (GB, as AutoGluon counts them), seed and metric are the run's. Groups and time are the task's: what
decides which rows are judged apart outside also does inside. The memory has never seen the task (`forgetting`), and
nothing is written back.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabarena.benchmark.exec_models import ExternalSystemModel

from .forgetting import forgotten

METRICS = {  # AutoGluon's names; what has the same name in scikit-learn, and fits the kind of task, is not listed
    "log_loss": "neg_log_loss",
    "mcc": "matthews_corrcoef",
    "root_mean_squared_error": "neg_root_mean_squared_error",
    "mean_squared_error": "neg_mean_squared_error",
    "mean_absolute_error": "neg_mean_absolute_error",
    "median_absolute_error": "neg_median_absolute_error",
    "mean_absolute_percentage_error": "neg_mean_absolute_percentage_error",
}
GIGABYTE = 2**30  # bytes, as AutoGluon counts memory


class AutoMetaSystemModel(ExternalSystemModel):
    """AutoMeta's search and ensemble, benchmarked as a system.

    Args:
        cold: Search without memory.
        families: Names of model families; None for all that suit the table.
        trials: Configurations to try; None for as many as the time allows.
        forget: Names of tables or families that the memory must forget besides those of TabArena's suites.
        path: The folder of the run; None for one that `cleanup` removes.
    """

    def __init__(
        self,
        *,
        cold: bool = False,
        families: Sequence[str] | None = None,
        trials: int | None = None,
        forget: Sequence[str] = (),
        path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cold, self.families, self.trials, self.forget, self.path = cold, families, trials, tuple(forget), path
        self._folder: Path | None = None
        self._model: Any = None
        self._labels: dict[str, Any] = {}

    @property
    def warmup_fn(self) -> Callable[[], None]:
        """Imports, and the process that trials are forked from: nothing of the data."""

        def warm() -> None:
            import autometa.fitting  # noqa: F401
            from autometa.evaluation import shared_isolation

            shared_isolation().warm_up()

        return warm

    def _fit_system(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        *,
        target_name: str,
        problem_type: str,
        eval_metric: Any,
        validation_metadata: Any,
        num_cpus: int | None,
        num_gpus: int | None,
        memory_limit: float | None,
        time_limit: float | None,
        random_state: int | None,
    ) -> AutoMetaSystemModel:
        """Searches on all the training rows; AutoMeta deals its own folds."""
        from autometa.fitting import fit_table
        from autometa.search import load_model

        started = time.monotonic()
        groups, order, aside = _roles(X, validation_metadata)
        features = X.drop(columns=aside)
        folder = Path(self.path or tempfile.mkdtemp(prefix="tabarena-autometa-"))
        self._folder = folder
        fit_table(
            features,
            y.to_numpy(),
            kind="regression" if problem_type == "regression" else "classification",
            metric=metric(eval_metric.name, problem_type),
            groups=groups,
            time_order=order,
            settings=self._settings(
                folder,
                self._forgotten(features, problem_type),
                seconds=time_limit,
                cores=num_cpus,
                gpus=num_gpus,
                gigabytes=memory_limit,
                seed=random_state,
            ),
            run=folder / "run",
            started=started,
        )
        self._model = load_model(folder / "run")
        # In the type that the labels came with: a category, a text or a number.
        self._labels = {} if problem_type == "regression" else {str(label): label for label in y.unique()}
        return self

    def _settings(
        self,
        folder: Path,
        exclude: Any,
        *,
        seconds: float | None,
        cores: int | None,
        gpus: int | None,
        gigabytes: float | None,
        seed: int | None,
    ) -> Any:
        """The search's settings out of the run's."""
        from autometa.search import Settings, jobs_on

        given: dict[str, Any] = {} if seconds is None else {"seconds": float(seconds)}
        if self.families is not None:
            given["families"] = tuple(self.families)
        return Settings(
            **given,
            trials=self.trials,
            jobs=None if cores is None else jobs_on(int(cores)),
            device="cpu" if gpus == 0 else "auto",
            max_ram=None if gigabytes is None else int(gigabytes * GIGABYTE),  # of all processes together
            seed=0 if seed is None else int(seed) % 2**31,
            store=str(folder / "none.db"),  # which does not exist: the memory that AutoMeta ships with, and no other
            remember=False,
            cold=self.cold,
            exclude=exclude,
        )

    def _forgotten(self, X: pd.DataFrame, problem_type: str) -> Any:
        """What the memory must forget, from its records and the shape of the training rows."""
        from autometa.store import MetaStore

        varied = sum(X[name].nunique(dropna=False) > 1 for name in X)
        return forgotten(
            MetaStore.with_shipped("none.db").tasks(space=None),
            kind=problem_type,
            columns=(X.shape[1], varied),
            names=self.forget,
        )

    def _predict(self, X: pd.DataFrame) -> pd.Series:
        answers = self._model.predict(X)
        return pd.Series([self._labels[str(one)] for one in answers] if self._labels else answers, index=X.index)

    def _predict_proba(self, X: pd.DataFrame) -> pd.DataFrame:
        from autometa.task import label_array

        labels = [self._labels[str(one)] for one in label_array(self._model.classes)]
        return pd.DataFrame(np.asarray(self._model.predict_proba(X)), index=X.index, columns=labels)

    def cleanup(self) -> None:
        """Removes the folder of the run, unless it was named."""
        if self._folder is not None and self.path is None:
            shutil.rmtree(self._folder, ignore_errors=True)


def metric(name: str, kind: str) -> str:
    """AutoMeta's name of AutoGluon's metric, where it fits the kind of task; else the usual one of the kind."""
    import logging

    from autometa.evaluation import METRIC_KINDS, metric_for

    meant = METRICS.get(name, name)
    if meant in METRIC_KINDS and kind in METRIC_KINDS[meant]:
        return meant
    usual = str(metric_for(kind))
    logging.getLogger(__name__).warning("AutoMeta: no metric %r for a %s task; it optimises %s", name, kind, usual)
    return usual


def _roles(X: pd.DataFrame, said: Any) -> tuple[Any, Any, list[str]]:
    """The groups, the moments, and the columns that are no features.

    A column of groups is none, since those of the test rows are others; a moment stays one.
    """
    names = [said.group_on] if isinstance(said.group_on, str) else list(said.group_on or ())
    names = [name for name in names if name in X]
    when = next((name for name in (said.time_on, said.group_time_on) if name in X), None)
    groups = X.groupby(names, sort=False, dropna=False, observed=True).ngroup().to_numpy() if names else None
    return groups, None if when is None else X[when].to_numpy(), [name for name in names if name != when]
