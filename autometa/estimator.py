"""The scikit-learn face of AutoMeta.

`AutoMetaClassifier` and `AutoMetaRegressor` go wherever a scikit-learn estimator goes: pipelines, `cross_val_score`,
`clone`, pickles. A table may hold numbers, categories, dates, text and missing values; nothing has to be encoded first.
It may be pandas', polars' or PyArrow's, an array, or a sparse matrix, which is made dense up to a stated size.

Longer than 400 lines by what is said of parameters.
"""

from __future__ import annotations

import copyreg
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import Tags, estimator_html_repr
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from autometa.errors import RunError
from autometa.explain import ModelExplanation, explain_answers
from autometa.export.to_skops import plain_estimator, read_estimator
from autometa.files import replace
from autometa.fitting import fit_file, fit_table
from autometa.fitting.fit import task_of_table
from autometa.fitting.learner import with_learner
from autometa.fitting.targets import search_targets
from autometa.live import LiveProgress
from autometa.notebook import progress_here, shown
from autometa.passwords import masked, without_password
from autometa.plots import Plots
from autometa.report.card import card
from autometa.report.verdict import warning
from autometa.search import (
    JointModel,
    Model,
    Progress,
    Result,
    Run,
    Settings,
    Silent,
    TrialRow,
    leaderboard,
    load_model,
    with_preset,
)
from autometa.search.signature import pickled, read_signed, write_signed
from autometa.task import as_table, label_array
from autometa.values import Gathered, duration, names, patience_of, size

if TYPE_CHECKING:
    from autometa.evaluation import Executor
    from autometa.space import Config
    from autometa.task import Task
    from autometa.transfer import Recommendation

T = TypeVar("T")

__all__ = ["AutoMetaClassifier", "AutoMetaRegressor", "fit_file", "load_model"]


class _AutoMeta(Plots, BaseEstimator):
    """What both estimators share; see `AutoMetaClassifier` for the parameters."""

    def __init__(
        self,
        *,
        metric: Any = None,
        preset: str | None = None,
        time: float | str | None = None,
        trials: int | None = None,
        jobs: int | None = None,
        families: Sequence[str] | str | None = None,
        keep: Sequence[str] | None = None,
        drop: Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        na: Sequence[str] | None = None,
        positive: Any = None,
        costs: Any = None,
        monotonic: Mapping[Any, int | str] | None = None,
        threshold: float | str = "auto",
        run: str | Path | None = None,
        store: str | None = None,
        cold: bool = False,
        remember: bool = True,
        random_state: int | None = 0,
        max_ram: int | str | None = None,
        cluster: Any = None,
        tls: str | Path | None = None,
        trial_time: float | str | None = None,
        patience: float | str | None = None,
        space: Mapping[str, Any] | None = None,
        cv: Any = None,
        members: int | None = None,
        infer_limit: float | str | None = None,
        exportable: bool = False,
        fewshot: str | Path | None = None,
        device: str = "auto",
        verbose: bool | int = True,
        progress: Progress | None = None,
    ) -> None:
        self.metric = metric
        self.preset = preset
        self.time = time
        self.trials = trials
        self.jobs = jobs
        self.families = families
        self.keep = keep
        self.drop = drop
        self.types = types
        self.na = na
        self.positive = positive
        self.costs = costs
        self.monotonic = monotonic
        self.threshold = threshold
        self.run = run
        self.store = store
        self.cold = cold
        self.remember = remember
        self.random_state = random_state
        self.max_ram = max_ram
        self.cluster = cluster
        self.tls = tls
        self.trial_time = trial_time
        self.patience = patience
        self.space = space
        self.cv = cv
        self.members = members
        self.infer_limit = infer_limit
        self.exportable = exportable
        self.fewshot = fewshot
        self.device = device
        self.verbose = verbose
        self.progress = progress

    def __getstate__(self) -> dict[str, Any]:
        """For whoever reads attributes rather than pickles, as skops does: values without types of AutoMeta's own."""
        return plain_estimator(self._state())

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """For pickles and copies: the attributes as they are."""
        return copyreg.__newobj__, (type(self),), self._state()  # type: ignore[attr-defined]

    def _state(self) -> dict[str, Any]:
        """Without the password of the store, which is kept nowhere."""
        state = dict(super().__getstate__())
        if isinstance(state.get("store"), str):
            state["store"] = without_password(state["store"])
        return state

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return masked(super().__repr__(N_CHAR_MAX))

    def _html_repr(self) -> str:
        """What a notebook shows: of a fitted estimator its score, leaderboard and columns, then its parameters."""
        plain = estimator_html_repr(self)
        if (summary := getattr(self, "summary_", None)) is None:
            return masked(plain)
        found = shown(summary, self.leaderboard_, getattr(self, "explanation_", None), getattr(self, "notes_", ()))
        return masked(f"{found}<details><summary>Parameters</summary>{plain}</details>")

    def __sklearn_tags__(self) -> Tags:
        """Categories, text and missing values are welcome.

        Columns are found by their names, in any order and among others. scikit-learn's only word for what does not
        insist on the order of names is `no_validation`; everything else is validated all the same.
        """
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    def _fit(
        self,
        X: Any,
        y: Any,
        kind: str | None,
        groups: ArrayLike | None,
        time_order: ArrayLike | None,
        sample_weight: ArrayLike | None,
        validation: tuple[Any, ...] | None,
    ) -> Self:
        started = time.monotonic()
        for name in ("estimators_", "targets_"):
            self.__dict__.pop(name, None)
        if is_joint(y):
            return self._fit_each(X, y, kind, groups, time_order, sample_weight, validation, started)
        frame, target = self._validated(X, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, np.empty((len(target), 1)))
        if kind == "classification":
            check_classification_targets(target)
        settings, preset = self._settings()
        with ExitStack() as stack:
            told = _Told(self.progress or (stack.enter_context(progress_here()) if self.verbose else Silent()))
            if preset is not None:
                told.note(preset)
            if self.run is not None:
                folder = Path(self.run)
            else:
                temporary = tempfile.TemporaryDirectory(prefix="autometa-", ignore_cleanup_errors=True)
                folder = Path(stack.enter_context(temporary)) / "run"
            executor = self._executor(stack, told)
            result = fit_table(
                frame,
                target,
                kind=kind,
                metric=self.metric,
                groups=groups,
                time_order=time_order,
                sample_weight=sample_weight,
                costs=self.costs,
                keep=_names(self.keep) or (),
                drop=_names(self.drop) or (),
                types=self.types,
                na=self.na,
                positive=self.positive,
                monotonic=self.monotonic,
                cv=None if isinstance(self.cv, (int, np.integer)) else self.cv,
                validation=validation,
                settings=settings,
                run=folder,
                progress=told,
                started=started,
                executor=executor,
            )
            self._keep(result)
            self.notes_ = (*told.notes, *filter(None, [warning(result)]))
            if isinstance(told.progress, LiveProgress):
                told.progress.concluded(result)
        return self

    def _executor(self, stack: ExitStack, told: _Told) -> Executor | None:
        """Where trials run, as long as the stack lasts; None for this machine."""
        if self.cluster is None:
            return None
        from autometa.cluster import connect

        return stack.enter_context(connect(self.cluster, tls=self.tls, tell=told.note))

    def _settings(self) -> tuple[Settings, str | None]:
        """What was asked of the search, and what its preset is; what the flags take as text is taken here, too.

        Raises:
            InputError: Every impossible value, in one error.
        """
        gathered = Gathered()
        families = names(self.families) if isinstance(self.families, str) else _names(self.families)
        patience = _read(gathered, patience_of, "patience", self.patience)
        asked = {
            "seconds": _read(gathered, duration, "time", self.time),
            "trials": self.trials,
            "families": families,
            "patience": patience,
            "members": self.members,
        }
        chosen, said = gathered.take(with_preset, self.preset, asked) or (asked, None)
        settings = gathered.take(
            Settings,
            **{name: value for name, value in chosen.items() if value is not None},
            trial_seconds=_read(gathered, duration, "trial_time", self.trial_time),
            max_ram=_read(gathered, size, "max_ram", self.max_ram),
            jobs=self.jobs,
            store=self.store,
            cold=self.cold,
            remember=self.remember,
            seed=_seed(self.random_state),
            space=dict(self.space or {}),
            folds=int(self.cv) if isinstance(self.cv, (int, np.integer)) else None,
            device=self.device,
            threshold=self.threshold,
            infer_limit=_read(gathered, duration, "infer_limit", self.infer_limit),
            exportable=self.exportable,
        )
        settings = None if settings is None else gathered.take(with_learner, settings, self.fewshot)
        gathered.refuse()
        assert settings is not None
        return settings, said

    def _validated(self, X: Any, y: Any) -> tuple[pd.DataFrame | NDArray[Any], NDArray[Any]]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        X = as_table(X, "X")
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True)
            if len(X) == 0 or X.shape[1] == 0:
                raise ValueError(
                    f"Found array with {len(X)} sample(s) and {X.shape[1]} feature(s) while a minimum of 1 is required."
                )
        else:
            X = validate_data(self, X, dtype=None, ensure_all_finite=False)
        y = column_or_1d(y, warn=True)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} rows and y has {len(y)}: they must have the same number")
        if pd.isna(y).any():
            raise ValueError(f"Input y contains NaN in {int(pd.isna(y).sum())} rows: drop them")
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError(f"Input y contains infinity in {int(np.isinf(y).sum())} rows: drop them")
        return X, y

    def _keep(self, result: Result) -> None:
        import optuna

        folder = Run.open(result.run)
        study = optuna.create_study(direction="maximize")
        study.add_trials(folder.study().get_trials(deepcopy=False))
        self.model_: Model = load_model(result.run)
        self.study_ = study
        self.best_config_ = result.best.evaluation.config
        self.leaderboard_ = leaderboard_frame(result.trials, result.task.metric)
        self.recommendations_ = [r.config for r in result.recommendations]
        self.summary_ = result.summary()
        self.run_ = None if self.run is None else str(result.run)
        self.metric_ = result.task.metric
        self.explanation_ = ModelExplanation.load(result.run)
        asked = (
            f"In Python: `{type(self).__name__}.load(FILE).predict(table)`. Reading it runs code that is in the file."
        )
        self.model_card_ = card(result, self.explanation_, ask=asked)

    def _fit_each(
        self,
        X: Any,
        y: Any,
        kind: str | None,
        groups: ArrayLike | None,
        time_order: ArrayLike | None,
        sample_weight: ArrayLike | None,
        validation: tuple[Any, ...] | None,
        started: float,
    ) -> Self:
        """A search for each column of the target, one after another, under one time budget and with one memory."""
        names, columns = columns_of(y)
        judging = None if validation is None else columns_of(validation[1])[1]
        tasks: dict[str, Task] = {}
        settings, preset = self._settings()
        notes: list[str] = [] if preset is None else [preset]
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, np.empty((len(columns[0]), 1)))
        for j, (name, column) in enumerate(zip(names, columns, strict=True)):
            frame, target = self._validated(X, column)
            if kind == "classification":
                check_classification_targets(target)
            tasks[name] = task_of_table(
                frame,
                pd.Series(target, name=name),
                kind=kind,
                metric=self.metric,
                groups=groups,
                time_order=time_order,
                sample_weight=None
                if sample_weight is None
                else _check_sample_weight(sample_weight, np.empty((len(target), 1))),
                costs=self.costs,
                keep=_names(self.keep) or (),
                drop=_names(self.drop) or (),
                types=self.types,
                na=self.na,
                positive=self.positive,
                monotonic=self.monotonic,
                cv=None if isinstance(self.cv, (int, np.integer)) else self.cv,
                validation=None if judging is None else (validation[0], judging[j], *validation[2:]),  # type: ignore[index]
                settings=settings,
            )
            notes += [f"{name}: {note}" for note in tasks[name].notes]
        if self.cv is not None and not isinstance(self.cv, (int, np.integer)):
            raise ValueError("cv is a number of folds where y has several columns")
        with ExitStack() as stack:
            told = _Told(self.progress or (stack.enter_context(progress_here()) if self.verbose else Silent()))
            if self.run is not None:
                folder = Path(self.run)
            else:
                temporary = tempfile.TemporaryDirectory(prefix="autometa-", ignore_cleanup_errors=True)
                folder = Path(stack.enter_context(temporary)) / "run"
            executor = self._executor(stack, told)
            found = search_targets(
                tasks, settings, folder, telling=lambda: nullcontext(told), started=started, executor=executor
            )
            self.estimators_ = [self._of_one(result, kind) for result in found.results.values()]
            self.notes_ = (*notes, *told.notes)
        self.targets_ = tuple(found.results)
        self.run_ = None if self.run is None else str(folder)
        self._gather()
        return self

    def _gather(self) -> None:
        """What the estimators of several targets say together."""
        of_each = dict(zip(self.targets_, self.estimators_, strict=True))
        self.summary_ = {name: one.summary_ for name, one in of_each.items()}
        self.leaderboard_ = self._joined([one.leaderboard_ for one in self.estimators_])
        self.model_ = JointModel({name: one.model_ for name, one in of_each.items()})  # type: ignore[assignment]

    def _of_one(self, result: Result, kind: str | None) -> Self:
        """An estimator of one of several targets."""
        one: Self = clone(self)
        one.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            one.feature_names_in_ = self.feature_names_in_
        one._keep(result)
        if kind == "classification":
            one.classes_ = label_array(one.model_.classes)
        return one

    def _joined(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Tables of several targets as one, with the target in front."""
        named = [frame.assign(target=name) for name, frame in zip(self.targets_, frames, strict=True)]
        whole = pd.concat(named, ignore_index=True)
        return whole[["target", *(name for name in whole.columns if name != "target")]]

    def _frame(self, X: Any) -> pd.DataFrame | NDArray[Any]:
        """A table to answer: a frame by the names of its columns, an array by their places."""
        check_is_fitted(self, "model_")
        X = as_table(X, "X")
        if isinstance(X, pd.DataFrame) and hasattr(self, "feature_names_in_"):
            return X
        checked = {"reset": False, "dtype": None, "ensure_all_finite": False, "ensure_min_samples": 0}
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=False, skip_check_array=True)
            return X
        return np.asarray(validate_data(self, X, **checked))

    def predict(self, X: Any, *, allow_missing: bool = False, threshold: float | None = None) -> NDArray[Any]:  # (n,)
        """Answers for a table with the columns that `fit` saw, in any order and among others.

        What of a column cannot be read as it was learned counts as missing, and a `TableWarning` says so.

        Args:
            X: (n, p) DataFrame, any table that speaks Arrow's protocol (polars, PyArrow), array or sparse matrix.
            allow_missing: Answer where a column is lacking, or no cell of it can be read: it counts as missing.
            threshold: Of two classes, the probability from which a row counts as positive; None for the model's own.

        Raises:
            InputError: Columns that are needed are lacking, or cannot be read; all are listed.
        """
        frame = self._frame(X)
        if hasattr(self, "estimators_"):
            said = [one.predict(X, allow_missing=allow_missing, threshold=threshold) for one in self.estimators_]
            return np.column_stack(said)
        return self.model_.predict(frame, allow_missing=allow_missing, threshold=threshold)

    def feature_importance(self, X: Any = None, y: Any = None, *, time: float = 20.0) -> pd.DataFrame:
        """Which columns the model needs: how much the score falls when the values of one are shuffled.

        Without arguments as it was found after `fit`, on rows that the answering models had not learned from; how many
        rows that were is in ``explanation_.words``. With a table, on its rows, of which the model has learned none.

        Args:
            X: (n, p) a table as `predict` takes it; None for what `fit` found.
            y: (n,) its answers.
            time: Seconds that it may take, with a table.

        Returns:
            A row for each column, the most important first: ``column``, ``importance`` in the metric's unit, ``low``
            and ``high`` of its 90 % interval, and ``direction``, in words.

        Raises:
            RunError: `fit` found nothing, such as when it was interrupted, and there is no table.
            InputError: An answer is missing, or of a class that the model does not know.

        Example:
            >>> from sklearn.datasets import load_wine
            >>> X, y = load_wine(return_X_y=True, as_frame=True)
            >>> model = AutoMetaClassifier(trials=1, families=["linear"], cold=True, remember=False).fit(X, y)
            >>> model.feature_importance().columns.tolist()
            ['column', 'importance', 'low', 'high', 'direction']
        """
        check_is_fitted(self, "model_")
        if hasattr(self, "estimators_"):
            answers = [None] * len(self.estimators_) if y is None else columns_of(y)[1]
            of_each = zip(self.estimators_, answers, strict=True)
            return self._joined([one.feature_importance(X, own, time=time) for one, own in of_each])
        if X is None and y is None:
            known: ModelExplanation | None = getattr(self, "explanation_", None)
            if known is None or not known.importance:
                why = "It was fitted by a version that did not measure it." if known is None else known.words
                raise RunError(f"There is no importance of columns. {why} feature_importance(X, y) measures it")
            return known.frame()
        if X is None or y is None:
            raise ValueError("feature_importance takes both X and y, or neither")
        return explain_answers(self.model_, self._frame(X), y, seconds=time).frame()

    @property
    def feature_importances_(self) -> NDArray[np.float64]:  # (p,)
        """What `feature_importance` found after `fit`, in the order of the columns: for RFE and `SelectFromModel`.

        A column that the model does not need has 0, and so has one that there was no time to look at. The numbers of an
        embedding have equal shares of what it has as one.

        Raises:
            AttributeError: There is none, such as where `fit` was interrupted.
        """
        from autometa.explain.players import players_among

        try:
            found = self.feature_importance().set_index("column")["importance"]
        except RunError as error:
            raise AttributeError(str(error)) from error
        schema = self.model_.schema
        for name, columns in players_among([*schema.columns.all], schema.columns.numeric).items():
            if len(columns) > 1 and name in found:
                found = pd.concat([found.drop(name), pd.Series(found[name] / len(columns), index=list(columns))])
        return found.reindex(schema.seen, fill_value=0.0).clip(lower=0.0).to_numpy(np.float64)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What an older version did not know has its default."""
        later = ("keep", "drop", "types", "na", "positive", "costs", "space", "cv", "preset", "members", "monotonic")
        new: dict[str, Any] = dict.fromkeys((*later, "patience"))
        new |= {"infer_limit": None, "exportable": False, "threshold": "auto", "verbose": True}
        super().__setstate__(new | read_estimator(state))
        if "estimators_" in state and "model_" not in state:
            self._gather()

    def save(self, path: str | Path) -> None:
        """Writes this estimator to a file that `load` reads, signed with a key only you have, and beside it its card.

        The model card, ``PATH.md``, says in Markdown what it is, how good, and what it must not be taken for.
        """
        check_is_fitted(self, "model_")
        write_signed(Path(path), pickled(self))
        if said := getattr(self, "model_card_", None):
            replace(Path(f"{path}.md"), said.encode("utf-8", errors="replace"))

    @classmethod
    def load(cls, path: str | Path, *, trusted: bool = False) -> Self:
        """Reads what `save` wrote.

        Args:
            path: The file.
            trusted: Read it even though somebody else wrote it. Reading it runs code that is in the file.

        Raises:
            RunError: The file is missing, damaged, not one of these, or somebody else's.
        """
        path = Path(path)
        if not path.is_file():
            raise RunError(f"{path} does not exist")
        estimator = read_signed(path, trusted=trusted)
        if not isinstance(estimator, cls):
            raise RunError(f"{path} holds a {type(estimator).__name__}, not a {cls.__name__}")
        return estimator


class AutoMetaClassifier(ClassifierMixin, _AutoMeta):
    """A classifier that finds its own pipeline, starting from what past tasks taught.

    Args:
        metric: A scikit-learn scorer, by its name or what `make_scorer` gives; a function of ``(y_true, y_pred)`` or of
            ``(estimator, X, y)`` that can be imported, or ``"module:function"``. None for ``roc_auc`` with two classes
            and ``neg_log_loss`` with more.
        preset: ``fast``, ``balanced``, ``best`` or ``light``: time, families and size under one word; what is given
            beside it counts instead, and `notes_` says so.
        time: Seconds for everything, or a text such as ``"5m"``; None for 60, unless `trials` is given.
        trials: Configurations to evaluate; None for as many as the time allows. With `trials` alone, the same
            `random_state` and the same store, two fits end in the same model.
        jobs: Trials at once; None for one per CPU under a time budget and one otherwise.
        families: Names of model families, as a list or as ``"linear,lightgbm"``; None for all that suit the table.
        keep: Columns that are features though they look like identifiers or counts of the rows.
        drop: Columns that are no features.
        types: What columns hold, by name: ``number``, ``category``, ``text`` or ``date``; what is not named is found.
        na: The words for missing cells, instead of the usual ones.
        positive: The label of the positive class, of two, of which F1, precision, recall and average precision are;
            None for the rarer one, of 0 and 1 the 1.
        costs: What it costs to take a row of one class for another: ``{("fraud", "ok"): 100, ("ok", "fraud"): 1}``,
            true class first, or (c, c) numbers, true classes down, or the path of a CSV file. Labels are then those of
            the least expected cost, and the cost per row is the metric unless another is named.
        monotonic: Numeric columns along which the prediction may only rise, ``{"income": 1}``, or only fall,
            ``{"age": -1}``; of two classes, the probability of the positive one. Families that cannot keep it are left
            out; `notes_` says which.
        threshold: Of two classes, the probability from which a row counts as positive. ``auto`` is the most probable
            class, and where the metric judges labels, such as F1, what suits it best out of fold.
        run: Folder to keep the run in; None for none.
        store: URL or path of the metadata store; None for your own.
        cold: Search without memory.
        remember: Add the finished task to the store.
        random_state: Seed; None for a fresh one.
        max_ram: Bytes for all processes together, or a text such as ``"2GB"``.
        cluster: Where to try configurations, if not here: ``"tls://head:8786"``, ``"local:4"`` for workers started
            here, or a ``distributed.Client``.
        tls: The folder of its certificates.
        trial_time: Seconds for one trial, or a text such as ``"30s"``.
        patience: Seconds without a better trial after which the search ends; "auto": where nothing better is expected
            of the rest of `time`; "off": never before the budget is spent. None is the preset's, or "auto".
        space: Parameters that are fixed or have other ranges: ``{"lightgbm.num_leaves": 31, "lightgbm.learning_rate":
            (0.01, 0.1), "knn.weights": ["uniform"]}``.
        cv: How trials are judged: a number of folds (1 is a hold-out), a splitter of scikit-learn, or pairs of row
            numbers (to learn from, to predict); None for what suits the size of the table.
        members: Pipelines that answer together, at most; 1 is one, fitted once; None for as many as help.
        infer_limit: Seconds that answering a row may take in a table of many, or a text such as ``"1ms"``: what takes
            longer does not answer, nor do more pipelines than that allows. The leaderboard has it as ``row_seconds``.
        exportable: Search only families whose pipelines become ONNX (`autometa.export.export`).
        fewshot: A checkpoint of `autometa fewshot train`, or the name of one that comes trained: the search adapts it
            beside its families, as a model family of this search alone whose parameters are head, inner steps and rate.
            Columns are its examples: a vector, the pixels of an image, or for one of tables all numbers.
        device: ``auto``, ``cpu`` or ``cuda``.
        verbose: Say on standard error what the command line says: how the table was read, each new best, what came of
            it. False for silence; `notes_` keeps what should be known.
        progress: Told what happens during `fit`, instead.

    Attributes:
        classes_: (c,) the labels; of several targets a list of them.
        estimators_: Of several targets, an estimator of each, with all that is said of one; `targets_` their names.
        explanation_: What `feature_importance` shows, and from how many rows it is.
        feature_importances_: (p,) the same in the order of the columns, at least 0, as `RFE` takes it.
        best_config_: The best single configuration.
        leaderboard_: Every trial with all metrics, best first.
        recommendations_: What the memory proposed before the first trial.
        study_: The Optuna study.
        model_: What answers.
        model_card_: What it is, how good, and what it must not be taken for, as Markdown.
        summary_: What ``autometa fit --json`` prints.
        notes_: What should be known of how the table was read and searched, as ``autometa fit`` prints it.
        n_features_in_: Columns seen in `fit`; `feature_names_in_` their names, if they had any.

    See Also:
        `AutoMetaRegressor` for numbers, `load_model` for a finished run, `WarmStartSampler` for searches of your own.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> model = AutoMetaClassifier(trials=1, families=["linear"], cold=True, remember=False).fit(X, y)
        >>> model.score(X, y) > 0.9, model.predict_proba(X).shape, model.best_config_["family"]
        (True, (178, 3), 'linear')
    """

    def fit(
        self,
        X: Any,
        y: Any,
        groups: ArrayLike | None = None,
        time_order: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
    ) -> Self:
        """Searches, and keeps the best ensemble.

        Args:
            X: (n, p) table.
            y: (n,) labels; or (n, k), for k targets: a search for each.
            groups: (n,) rows of one group stay together in a fold.
            time_order: (n,) moments; folds never train on the future.
            sample_weight: (n,) how much each row counts, from 0 up: in fitting, in every score, in the ensemble and in
                calibration. Families that take no weights are left out; `notes_` says which.
            validation: ``(X, y)`` or ``(X, y, sample_weight)`` of rows on which every configuration is judged: scores,
                ensemble, threshold, calibration and intervals are from them, and no model learns from them, the final
                one neither. They are data, so they are given here, as `eval_set` is elsewhere.
        """
        self._fit(X, y, "classification", groups, time_order, sample_weight, validation)
        if hasattr(self, "estimators_"):
            self.classes_: Any = [one.classes_ for one in self.estimators_]
        else:
            self.classes_ = label_array(self.model_.classes)
        return self

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The accuracy of the answers; of several targets, the share of rows of which all are right."""
        if hasattr(self, "estimators_"):
            right = (self.predict(X) == np.column_stack(columns_of(y)[1])).all(axis=1)
            return float(
                np.average(
                    right, weights=None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
                )
            )
        return float(super().score(X, y, sample_weight))

    def predict_proba(self, X: Any, *, allow_missing: bool = False) -> NDArray[np.float64]:  # (n, c)
        """Probability of each class, in the order of `classes_`; calibrated out of fold.

        Args:
            X: (n, p) table.
            allow_missing: As `predict`.
        """
        frame = self._frame(X)
        if hasattr(self, "estimators_"):
            return [one.predict_proba(X, allow_missing=allow_missing) for one in self.estimators_]  # type: ignore[return-value]
        return self.model_.predict_proba(frame, allow_missing=allow_missing)

    def predict_set(
        self, X: Any, level: float = 0.9, *, by: str | None = None, allow_missing: bool = False
    ) -> NDArray[np.bool_]:  # (n, c)
        """Which of `classes_` each row may be of: a set that holds the true one with the probability `level`.

        It may be empty: a model that is right more often than was asked gives up the rows of which it is least sure.

        Args:
            X: (n, p) table.
            level: Between 0 and 1.
            by: A categorical column, or ``target``, whose categories are to have that share each.
            allow_missing: As `predict`.

        Raises:
            InputError: As `predict`; or there are too few rows for the level.
        """
        if hasattr(self, "estimators_"):
            return [one.predict_set(X, level, by=by, allow_missing=allow_missing) for one in self.estimators_]  # type: ignore[return-value]
        return self.model_.predict_set(self._frame(X), level, by=by, allow_missing=allow_missing)


class AutoMetaRegressor(RegressorMixin, _AutoMeta):
    """A regressor that finds its own pipeline; its parameters and attributes are `AutoMetaClassifier`'s.

    The metric is ``neg_root_mean_squared_error`` unless another is named.

    See Also:
        `AutoMetaClassifier` for classes, `load_model` for a finished run.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> model = AutoMetaRegressor(trials=1, families=["linear"], cold=True, remember=False).fit(X, y)
        >>> model.score(X, y) > 0.4, model.leaderboard_["state"].tolist()
        (True, ['complete'])
    """

    def fit(
        self,
        X: Any,
        y: Any,
        groups: ArrayLike | None = None,
        time_order: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        validation: tuple[Any, ...] | None = None,
    ) -> Self:
        """Searches, and keeps the best ensemble.

        Args:
            X: (n, p) table.
            y: (n,) numbers; or (n, k), for k targets: a search for each.
            groups: (n,) rows of one group stay together in a fold.
            time_order: (n,) moments; folds never train on the future.
            sample_weight: (n,) how much each row counts, from 0 up: in fitting, in every score, in the ensemble and in
                calibration. Families that take no weights are left out; `notes_` says which.
            validation: ``(X, y)`` or ``(X, y, sample_weight)`` of rows on which every configuration is judged: scores,
                ensemble, threshold, calibration and intervals are from them, and no model learns from them, the final
                one neither. They are data, so they are given here, as `eval_set` is elsewhere.
        """
        return self._fit(X, y, "regression", groups, time_order, sample_weight, validation)

    def predict_interval(
        self, X: Any, level: float = 0.9, *, by: str | None = None, allow_missing: bool = False
    ) -> NDArray[np.float64]:  # (n, 2)
        """Between which two numbers the truth of each row lies, with the probability `level`.

        Args:
            X: (n, p) table.
            level: Between 0 and 1.
            by: A categorical column whose categories are to have that share each.
            allow_missing: As `predict`.

        Raises:
            InputError: As `predict`; or there are too few rows for the level.

        Example:
            >>> from sklearn.datasets import load_diabetes
            >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
            >>> model = AutoMetaRegressor(trials=1, families=["linear"], cold=True, remember=False).fit(X, y)
            >>> low, high = model.predict_interval(X, 0.9).T
            >>> bool(0.85 < ((low <= y) & (y <= high)).mean() < 0.97)
            True
        """
        if hasattr(self, "estimators_"):
            return [one.predict_interval(X, level, by=by, allow_missing=allow_missing) for one in self.estimators_]  # type: ignore[return-value]
        return self.model_.predict_interval(self._frame(X), level, by=by, allow_missing=allow_missing)


def leaderboard_frame(trials: Sequence[TrialRow], metric: str) -> pd.DataFrame:
    """Trials as a table: rank, trial, family, origin, state, the optimised metric and all others, seconds, parameters.

    Args:
        trials: Of one run.
        metric: The optimised one; it comes first.
    """
    complete = leaderboard(trials, metric)
    ranked = {row.number: rank for rank, row in enumerate(complete, start=1)}
    rows = []
    for row in [*complete, *(t for t in trials if t.number not in ranked)]:
        e = row.evaluation
        rows.append(
            {
                "rank": ranked.get(row.number, np.nan),
                "trial": row.number,
                "family": e.config["family"],
                "origin": row.origin,
                "state": str(e.state),
                metric: e.scores.get(metric, np.nan),
                **{name: value for name, value in e.scores.items() if name != metric},
                "fit_seconds": e.fit_seconds,
                "row_seconds": row.row_seconds,
                "config": e.config,
            }
        )
    return pd.DataFrame(rows)


class _Told(Silent):
    """Hands on what a search reports, and keeps its notes."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.notes = progress, list[str]()

    def stage(self, name: str, detail: str = "") -> None:
        self.progress.stage(name, detail)

    def started(self, task: Task, settings: Settings, recommendations: Sequence[Recommendation]) -> None:
        self.progress.started(task, settings, recommendations)

    def trial_started(self, number: int, config: Config, origin: str, reason: str) -> None:
        self.progress.trial_started(number, config, origin, reason)

    def trial_finished(self, trial: TrialRow, incumbent: TrialRow | None, elapsed: float) -> None:
        self.progress.trial_finished(trial, incumbent, elapsed)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.progress.note(text)


def is_joint(y: Any) -> bool:
    """Whether a target has several columns.

    Example:
        >>> is_joint([1, 2]), is_joint([[1], [2]]), is_joint([[1, 2], [3, 4]])
        (False, False, True)
    """
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def columns_of(y: Any) -> tuple[list[str], list[NDArray[Any]]]:
    """The names and the cells of the columns of a target.

    Example:
        >>> columns_of([[1, 2], [3, 4]])
        (['target_0', 'target_1'], [array([1, 3]), array([2, 4])])
    """
    frame = y if isinstance(y, pd.DataFrame) else pd.DataFrame(np.asarray(y)).add_prefix("target_")
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError("the columns of y share a name")
    return names, [frame.iloc[:, j].to_numpy() for j in range(len(names))]


def _names(given: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Names as a tuple; one may be given plainly."""
    return None if given is None else (given,) if isinstance(given, str) else tuple(given)


def _read(gathered: Gathered, read: Callable[[str, str], T], name: str, value: Any) -> Any:
    """A quantity that may be given as a text, as the flags take it."""
    return gathered.option(read, name, value) if isinstance(value, str) else value


def _seed(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] & 0x7FFFFFFF)
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(random_state.randint(2**31 - 1))
