"""Names of before: where what an older version called otherwise, or kept elsewhere, is found today.

Runs, models and pickled estimators name classes by the module they were made in, and so do people's imports. A module
that is gone is answered for by a finder at the end of `sys.meta_path`, a class that left a module which is still there
by that module's `__getattr__`, for which it says ``__getattr__ = former(__name__)``.

Law: nothing of this package imports by a name of before. An entry is added with the move that makes it necessary;
`tests/test_moved.py` opens what the version before the moves wrote.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# A module that is gone -> the modules where its names are today, the first that has one counts.
MODULES: dict[str, tuple[str, ...]] = {
    "autometa.cli.commands": ("autometa.cli.app", "autometa.cli.table", "autometa.cli.memory", "autometa.cli.store"),
    "autometa.cli.live": ("autometa.live",),
    "autometa.cli.values": ("autometa.values",),
    "autometa.cost": ("autometa.transfer.cost",),
    "autometa.families.curves": ("autometa.families.learners.additive",),
    "autometa.families.estimators": (
        "autometa.families.learners.linear",
        "autometa.families.learners.naive_bayes",
        "autometa.families.learners.discriminant",
        "autometa.families.learners.set_kernel",
        "autometa.families.learners.svm",
        "autometa.families.learners.gaussian_process",
        "autometa.families.learners.mlp",
    ),
    "autometa.families.growth": ("autometa.families.learners.truncation",),
    "autometa.families.holdout": ("autometa.families.learners.holdout",),
    "autometa.families.packing": ("autometa.families.learners.packing",),
    "autometa.families.preprocess": ("autometa.families.learners.preprocess",),
    "autometa.fewshot.mapping": ("autometa.fewshot.unbatched",),
    "autometa.openml.door": ("autometa.openml.client",),
    "autometa.openml.patience": ("autometa.openml.retry",),
    "autometa.recommend": ("autometa.transfer",),
    "autometa.recommend.completion": ("autometa.transfer.completion",),
    "autometa.recommend.greedy": ("autometa.transfer.greedy",),
    "autometa.recommend.memory": ("autometa.transfer.past", "autometa.transfer.scale"),
    "autometa.recommend.posterior": ("autometa.transfer.posterior",),
    "autometa.recommend.ranker": ("autometa.transfer.ranker",),
    "autometa.recommend.reasons": ("autometa.transfer.reasons",),
    "autometa.recommend.recommenders": ("autometa.transfer.baselines", "autometa.transfer.cover"),
    "autometa.recommend.similarity": ("autometa.transfer.similarity",),
    "autometa.report.importance": ("autometa.explain.record", "autometa.explain.importance"),
    "autometa.search.seal": ("autometa.search.signature",),
    "autometa.surrogate": ("autometa.transfer",),
    "autometa.surrogate.encoding": ("autometa.transfer.kernels",),
    "autometa.surrogate.experts": ("autometa.transfer.experts",),
    "autometa.surrogate.gaussian": ("autometa.transfer.gaussian",),
    "autometa.surrogate.guard": ("autometa.transfer.improve", "autometa.transfer.belief"),
    "autometa.surrogate.history": ("autometa.transfer.observation", "autometa.transfer.scale"),
    "autometa.surrogate.network": ("autometa.transfer.meta.network",),
    "autometa.surrogate.past": ("autometa.transfer.forecasts",),
    "autometa.surrogate.surrogate": ("autometa.transfer.meta.surrogate",),
    "autometa.surrogate.training": ("autometa.transfer.meta.training", "autometa.transfer.meta.validation"),
    "autometa.timing": ("autometa.transfer.cost",),
}
# A name that changed, or that left a module which is still there -> where it is today.
NAMES: dict[str, str] = {
    "autometa.bench.cells.Prediction": "autometa.bench.cells.CellPrediction",
    "autometa.bench.ranking.Comparison": "autometa.bench.ranking.MethodComparison",
    "autometa.bench.report.findings": "autometa.bench.findings.findings",
    "autometa.bench.report.overhead": "autometa.bench.findings.overhead",
    "autometa.bench.report.summary": "autometa.bench.findings.summary",
    "autometa.bench.suite.Entry": "autometa.bench.suite.SuiteEntry",
    "autometa.cli.show.show_result": "autometa.cli.result_page.show_result",
    "autometa.cli.show.warm_start_words": "autometa.cli.result_page.warm_start_words",
    "autometa.collect.SUFFIXES": "autometa.collect.sources.SOURCE_SUFFIXES",
    "autometa.collect.Source": "autometa.collect.sources.TableSource",
    "autometa.evaluation.isolation.Cancelled": "autometa.evaluation.watch.Cancelled",
    "autometa.evaluation.isolation.Killed": "autometa.evaluation.watch.Killed",
    "autometa.evaluation.isolation.available_cpus": "autometa.evaluation.machine.available_cpus",
    "autometa.evaluation.isolation.available_ram": "autometa.evaluation.machine.available_ram",
    "autometa.evaluation.trial.Bounded": "autometa.evaluation.fitted.ClippedRegressor",
    "autometa.evaluation.trial.ClosedUp": "autometa.evaluation.fitted.RelabelledClassifier",
    "autometa.families.as_grown": "autometa.families.as_truncated",
    "autometa.families.boosting.BoostingClassifier": "autometa.families.learners.boosting.BoostingClassifier",
    "autometa.families.boosting.BoostingRegressor": "autometa.families.learners.boosting.BoostingRegressor",
    "autometa.families.catboost.CatBoostModel": "autometa.families.learners.catboost.CatBoostModel",
    "autometa.families.catboost.train": "autometa.families.learners.catboost.train",
    "autometa.families.estimators.GrowingExtraTreesClassifier": (
        "autometa.families.learners.forests.TruncatableExtraTreesClassifier"
    ),
    "autometa.families.estimators.GrowingExtraTreesRegressor": (
        "autometa.families.learners.forests.TruncatableExtraTreesRegressor"
    ),
    "autometa.families.estimators.GrowingRandomForestClassifier": (
        "autometa.families.learners.forests.TruncatableRandomForestClassifier"
    ),
    "autometa.families.estimators.GrowingRandomForestRegressor": (
        "autometa.families.learners.forests.TruncatableRandomForestRegressor"
    ),
    "autometa.families.gaussian_process.Fitted": "autometa.families.learners.gaussian_process.ProjectedProcess",
    "autometa.families.gaussian_process.Kernel": "autometa.families.learners.gaussian_process.ProcessKernel",
    "autometa.families.growing": "autometa.families.truncatable",
    "autometa.families.growth.Growing": "autometa.families.learners.truncation.Truncatable",
    "autometa.families.growth.GrowingForest": "autometa.families.learners.truncation.TruncatableForest",
    "autometa.families.growth.Growth": "autometa.families.learners.truncation.Deadline",
    "autometa.families.hist_gradient_boosting.train": "autometa.families.learners.hist_gradient_boosting.train",
    "autometa.families.lightgbm.LightGBMModel": "autometa.families.learners.lightgbm.LightGBMModel",
    "autometa.families.lightgbm.train": "autometa.families.learners.lightgbm.train",
    "autometa.families.mlp.Inputs": "autometa.families.learners.network.Inputs",
    "autometa.families.set_kernel.Fitted": "autometa.families.learners.set_kernel.FittedSetKernel",
    "autometa.families.set_kernel.Reading": "autometa.families.learners.set_kernel.KernelChoice",
    "autometa.families.xgboost.train": "autometa.families.learners.xgboost.train",
    "autometa.fewshot.Evaluation": "autometa.fewshot.evaluation.EpisodeScores",
    "autometa.fewshot.Outcome": "autometa.fewshot.learner.TaskOutcome",
    "autometa.fewshot.Problem": "autometa.fewshot.episode.EpisodeSpec",
    "autometa.fewshot.Settings": "autometa.fewshot.trainer.TrainingSettings",
    "autometa.fewshot.Source": "autometa.fewshot.data.source.EpisodeSource",
    "autometa.fewshot.data.Source": "autometa.fewshot.data.source.EpisodeSource",
    "autometa.fewshot.data.source.Source": "autometa.fewshot.data.source.EpisodeSource",
    "autometa.fewshot.episode.Kind": "autometa.fewshot.episode.EpisodeKind",
    "autometa.fewshot.episode.Problem": "autometa.fewshot.episode.EpisodeSpec",
    "autometa.fewshot.evaluation.Evaluation": "autometa.fewshot.evaluation.EpisodeScores",
    "autometa.fewshot.inputs.Given": "autometa.fewshot.inputs.ExampleSet",
    "autometa.fewshot.inputs.read_given": "autometa.fewshot.inputs.read_examples",
    "autometa.fewshot.learner.Outcome": "autometa.fewshot.learner.TaskOutcome",
    "autometa.fewshot.trainer.Settings": "autometa.fewshot.trainer.TrainingSettings",
    "autometa.imports.flows.LEARNERS": "autometa.imports.translations.TRANSLATIONS",
    "autometa.imports.flows.Learner": "autometa.imports.translations.Translation",
    "autometa.metafeatures.NAMES": "autometa.metafeatures.FEATURE_NAMES",
    "autometa.openml.Suite": "autometa.openml.records.OpenMLSuite",
    "autometa.openml.process.Settings": "autometa.openml.process.ClientSettings",
    "autometa.openml.records.Suite": "autometa.openml.records.OpenMLSuite",
    "autometa.recommend.greedy.Belief": "autometa.transfer.greedy.TaskMixture",
    "autometa.recommend.memory.Memory": "autometa.transfer.past.PastTable",
    "autometa.recommend.memory.standing": "autometa.transfer.scale.normalised",
    "autometa.recommend.posterior.Posterior": "autometa.transfer.posterior.Conditioned",
    "autometa.recommend.reasons.Origin": "autometa.origins.Origin",
    "autometa.recommend.similarity.prior_say": "autometa.transfer.similarity.prior_weights",
    "autometa.report.parts.metric_heading": "autometa.report.words.metric_heading",
    "autometa.report.parts.own_parameters": "autometa.report.words.own_parameters",
    "autometa.report.parts.score_words": "autometa.report.words.score_words",
    "autometa.search.seal.check_seal": "autometa.search.signature.check_signature",
    "autometa.search.seal.read_sealed": "autometa.search.signature.read_signed",
    "autometa.search.seal.write_sealed": "autometa.search.signature.write_signed",
    "autometa.search.search.affordable_splits": "autometa.search.plan.affordable_splits",
    "autometa.search.search.default_jobs": "autometa.search.plan.default_jobs",
    "autometa.search.search.jobs_on": "autometa.search.plan.jobs_on",
    "autometa.search.search.leaderboard": "autometa.search.result.leaderboard",
    "autometa.search.search.open_run": "autometa.search.result.open_run",
    "autometa.search.search.search_space": "autometa.search.plan.search_space",
    "autometa.store.StoreUnion": "autometa.store.metastore.MetaStore",
    "autometa.store.database.HEAD": "autometa.store.schema.SCHEMA",
    "autometa.store.database.VARIABLE": "autometa.store.address.VARIABLE",
    "autometa.store.database.block": "autometa.store.schema.block",
    "autometa.store.database.locate": "autometa.store.address.locate",
    "autometa.store.database.meta_db": "autometa.store.address.meta_db",
    "autometa.store.database.metadata": "autometa.store.schema.metadata",
    "autometa.store.database.record_of": "autometa.store.schema.record_of",
    "autometa.store.database.shipped_memory": "autometa.store.address.shipped_memory",
    "autometa.store.database.shown_url": "autometa.store.address.shown_url",
    "autometa.store.database.take_steps": "autometa.store.schema.take_steps",
    "autometa.store.database.task": "autometa.store.schema.task",
    "autometa.store.database.values_of": "autometa.store.schema.values_of",
    "autometa.store.database.version": "autometa.store.schema.version",
    "autometa.store.database.weights": "autometa.store.schema.weights",
    "autometa.store.reading.StoreUnion": "autometa.store.metastore.MetaStore",
    "autometa.studies.Adapted": "autometa.studies.adapting.AdaptedPast",
    "autometa.studies.FINISHED": "autometa.studies.remembering.ENDED",
    "autometa.surrogate.experts.Observed": "autometa.transfer.experts.WarpedHistory",
    "autometa.surrogate.history.LABELS": "autometa.transfer.scale.LABEL_SCALES",
    "autometa.surrogate.past.PastTable": "autometa.transfer.forecasts.PastForecasts",
    "autometa.surrogate.surrogate.FORMAT": "autometa.transfer.meta.surrogate.SURROGATE_FORMAT",
    "autometa.surrogate.surrogate.Member": "autometa.transfer.meta.surrogate.TrainedNetwork",
    "autometa.surrogate.surrogate.VERSION": "autometa.transfer.meta.surrogate.SURROGATE_VERSION",
    "autometa.surrogate.training.Lessons": "autometa.transfer.meta.training.TrainingData",
    "autometa.task.read.Dialect": "autometa.task.read.dialect.Dialect",
    "autometa.task.read.sniff": "autometa.task.read.dialect.sniff",
    "autometa.task.schema.Holds": "autometa.task.columns.Holds",
    "autometa.task.schema.MISSING": "autometa.task.cells.MISSING_TEXTS",
    "autometa.task.schema.PARTS": "autometa.task.moments.PARTS",
    "autometa.task.schema.Reading": "autometa.task.columns.ColumnEncoder",
    "autometa.task.schema.Style": "autometa.task.cells.Style",
    "autometa.task.schema.common_unit": "autometa.task.cells.common_unit",
    "autometa.task.schema.holds_dates": "autometa.task.moments.holds_dates",
    "autometa.task.schema.label": "autometa.task.cells.label",
    "autometa.task.schema.labels": "autometa.task.cells.labels",
    "autometa.task.schema.listed": "autometa.task.names.listed",
    "autometa.task.schema.moment_pattern": "autometa.task.moments.moment_pattern",
    "autometa.task.schema.moments": "autometa.task.moments.moments",
    "autometa.task.schema.named": "autometa.task.names.named",
    "autometa.task.schema.number_style": "autometa.task.cells.number_style",
    "autometa.task.schema.numbers": "autometa.task.cells.numbers",
    "autometa.task.schema.spelled_numbers": "autometa.task.cells.spelled_numbers",
    "autometa.task.schema.unique_names": "autometa.task.names.unique_names",
    "autometa.task.task.DEFAULT_METRICS": "autometa.task.target.DEFAULT_METRICS",
    "autometa.task.task.make_task": "autometa.task.make.make_task",
    "autometa.task.task.read_task": "autometa.task.make.read_task",
    "autometa.timing.Spreads": "autometa.transfer.options.Spreads",
}


def former(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module that some names left.

    Example:
        >>> former("autometa.errors")("Nothing")
        Traceback (most recent call last):
        AttributeError: module 'autometa.errors' has no attribute 'Nothing'
    """

    def find(name: str) -> Any:
        if today := NAMES.get(f"{module}.{name}"):
            home, _, today = today.rpartition(".")
            return getattr(importlib.import_module(home), today)
        for home in MODULES.get(module, ()) if not name.startswith("__") else ():
            found = importlib.import_module(home)
            if hasattr(found, name):
                return getattr(found, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


class FormerModules(MetaPathFinder, Loader):
    """Finds the modules in `MODULES`, each empty but for a `__getattr__`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A package without a folder, so that the modules that were in it are found as well."""
        return ModuleSpec(fullname, self, is_package=True) if fullname in MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it; everything is looked up when it is asked for."""
        module.__dict__["__getattr__"] = former(module.__name__)


def install() -> None:
    """Once per process; called by `autometa/__init__.py`."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())
