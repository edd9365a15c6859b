"""Which learners of other libraries are families of ours, and what each of their parameters becomes.

To teach another learner, give it a line in `TRANSLATIONS`: a rule of `rules` for each parameter that shows in a score,
the values that others must have, and the names of those that change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autometa.imports import rules
from autometa.imports.rules import Rule


@dataclass(frozen=True, slots=True)
class Translation:
    """How the parameters of one library's learner become those of one of our families."""

    family: str
    rules: Mapping[str, str | Rule]  # their parameter -> ours of the same value, or a rule
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # their parameter -> what it must be
    ignored: frozenset[str] = frozenset()  # what no score shows
    given: Mapping[str, Any] = field(default_factory=dict)  # what the library assumes where a setting is silent
    none_is_silent: bool = False  # whether None stands for the library's own default
    ours: Mapping[str, Any] = field(default_factory=dict)  # our parameters that it always has


SCALES_ITSELF = {"mlr.svm", "mlr.glmnet"}  # and makes dummies of factors

_RUNS = frozenset({"n_jobs", "random_state", "verbose", "verbosity", "warm_start", "nthread", "num.threads", "seed"})
_FOREST: dict[str, str | Rule] = {
    "n_estimators": "n_estimators", "max_features": rules.max_features, "min_samples_leaf": rules.rows_of_a_leaf,
    "bootstrap": rules.bootstrap,
}  # fmt: skip
_FOREST_FIXED: dict[str, tuple[Any, ...]] = {
    "max_depth": (None,), "max_leaf_nodes": (None,), "ccp_alpha": (0,), "min_impurity_decrease": (0,),
    "min_impurity_split": (None, 1e-7), "min_weight_fraction_leaf": (0,), "monotonic_cst": (None,),
}  # fmt: skip
_FOREST_IGNORED = _RUNS | {"oob_score", "max_samples", "min_samples_split"}
_CLASSES: dict[str, str | Rule] = {"class_weight": "class_weight"}
_MACHINE_IGNORED = _RUNS | {
    "shrinking", "tol", "probability", "cache_size", "max_iter", "decision_function_shape", "break_ties", "coef0",
    "degree", "tolerance", "cachesize", "type", "fitted", "scale",
}  # fmt: skip
_BOOSTING_STOP = {"validation_fraction", "n_iter_no_change", "tol", "scoring", "loss", "init", "presort", "criterion"}


def _forest(family: str, kind: str) -> Translation:
    criteria: dict[str, str | Rule] = {}
    if kind == "classification":
        criteria = _CLASSES | {"criterion": "criterion"}
    fixed = _FOREST_FIXED if criteria else _FOREST_FIXED | {"criterion": ("squared_error", "mse")}
    given = {"bootstrap": family == "random_forest"}
    return Translation(family, {**_FOREST, **criteria}, fixed, _FOREST_IGNORED, given)


_HIST = Translation(
    "hist_gradient_boosting",
    {
        "max_iter": "max_iter", "learning_rate": "learning_rate", "max_leaf_nodes": "max_leaf_nodes",
        "min_samples_leaf": "min_samples_leaf", "l2_regularization": rules.none_if_zero("l2_regularization"),
        "max_features": "max_features", "early_stopping": "early_stop", "class_weight": "class_weight",
    },
    {
        "max_depth": (None,), "max_bins": (255,), "interaction_cst": (None,), "monotonic_cst": (None,),
        "loss": ("log_loss", "squared_error", "least_squares", "auto", "binary_crossentropy"),
    },
    _RUNS | _BOOSTING_STOP - {"loss"} | {"categorical_features"},
)  # fmt: skip
_GRADIENT = Translation(
    "hist_gradient_boosting",
    {
        "n_estimators": "max_iter", "learning_rate": "learning_rate", "max_depth": rules.depth_as_leaves,
        "min_samples_leaf": rules.rows_of_a_leaf, "max_features": rules.share_of_columns,
    },
    {
        "subsample": (1,), "max_leaf_nodes": (None,), "ccp_alpha": (0,), "min_impurity_decrease": (0,),
        "min_weight_fraction_leaf": (0,), "n_iter_no_change": (None,),
        "loss": ("log_loss", "deviance", "squared_error", "ls"),
    },
    _RUNS | _BOOSTING_STOP - {"loss", "n_iter_no_change"} | {"min_samples_split", "min_impurity_split", "alpha"},
    {"max_depth": 3, "min_samples_leaf": 1},
    ours={"early_stop": False},
)  # fmt: skip
_LIGHTGBM = Translation(
    "lightgbm",
    {
        "n_estimators": "n_estimators", "learning_rate": "learning_rate", "num_leaves": "num_leaves",
        "min_child_samples": "min_child_samples", "subsample": rules.rows_of_trees,
        "colsample_bytree": "colsample_bytree",
        "reg_lambda": rules.none_if_zero("reg_lambda"), "extra_trees": "extra_trees", "class_weight": "class_weight",
    },
    {
        "boosting_type": ("gbdt",), "max_depth": (-1,), "min_child_weight": (0.001,), "min_split_gain": (0,),
        "reg_alpha": (0,),
    },
    _RUNS | {"subsample_freq", "subsample_for_bin", "objective", "importance_type", "silent", "min_data_in_bin"},
    ours={"early_stop": False},
)  # fmt: skip
_XGBOOST_FIXED: dict[str, tuple[Any, ...]] = {
    "booster": ("gbtree", None), "gamma": (0, None), "max_delta_step": (0, None), "scale_pos_weight": (1, None),
    "colsample_bynode": (1, None), "max_leaves": (0, None), "grow_policy": ("depthwise", None),
}  # fmt: skip
_XGBOOST_IGNORED = _RUNS | {
    "base_score", "missing", "objective", "tree_method", "silent", "importance_type", "gpu_id", "predictor",
    "use_label_encoder", "validate_parameters", "enable_categorical", "device", "max_bin", "colsample_bytree",
    "num_parallel_tree", "print_every_n", "eval_metric",
}  # fmt: skip
_XGBOOST = Translation(
    "xgboost",
    {
        "n_estimators": "n_estimators", "learning_rate": "learning_rate", "max_depth": "max_depth",
        "min_child_weight": "min_child_weight", "subsample": "subsample", "colsample_bylevel": rules.columns_of_trees,
        "reg_lambda": "reg_lambda", "reg_alpha": rules.none_if_zero("reg_alpha"),
    },
    _XGBOOST_FIXED,
    _XGBOOST_IGNORED,
    {"n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "min_child_weight": 1, "subsample": 1,
     "colsample_bylevel": 1, "reg_lambda": 1, "reg_alpha": 0},
    none_is_silent=True,
    ours={"early_stop": False},
)  # fmt: skip
_NEIGHBOURS = Translation(
    "knn",
    {"n_neighbors": "n_neighbors", "weights": "weights", "metric": rules.power_of_distance},
    {"metric_params": (None,)},
    _RUNS | {"algorithm", "leaf_size", "p"},
    {"metric": "minkowski"},
)

TRANSLATIONS: dict[str, Translation] = {
    "RandomForestClassifier": _forest("random_forest", "classification"),
    "RandomForestRegressor": _forest("random_forest", "regression"),
    "ExtraTreesClassifier": _forest("extra_trees", "classification"),
    "ExtraTreesRegressor": _forest("extra_trees", "regression"),
    "HistGradientBoostingClassifier": _HIST,
    "HistGradientBoostingRegressor": _HIST,
    "GradientBoostingClassifier": _GRADIENT,
    "GradientBoostingRegressor": _GRADIENT,
    "LGBMClassifier": _LIGHTGBM,
    "LGBMRegressor": _LIGHTGBM,
    "XGBClassifier": _XGBOOST,
    "XGBRegressor": _XGBOOST,
    "SVC": Translation(
        "svm",
        {"C": "C", "kernel": rules.kernel, "gamma": rules.kernel_width, **_CLASSES},
        {},
        _MACHINE_IGNORED,
        {"kernel": "rbf"},
    ),
    "SVR": Translation(
        "svm",
        {
            "C": rules.in_units_of_spread("C"), "epsilon": rules.in_units_of_spread("epsilon"),
            "kernel": rules.kernel, "gamma": rules.kernel_width,
        },
        {},
        _MACHINE_IGNORED,
        {"kernel": "rbf", "C": 1.0, "epsilon": 0.1},
    ),
    "LogisticRegression": Translation(
        "linear",
        {"C": "C", "penalty": rules.penalty, **_CLASSES},
        {"fit_intercept": (True,)},
        _RUNS | {"solver", "tol", "max_iter", "dual", "multi_class", "intercept_scaling", "l1_ratio"},
        {"penalty": "l2"},
    ),
    "Ridge": Translation(
        "linear",
        {"alpha": "alpha"},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"solver", "tol", "max_iter", "copy_X", "normalize"},
    ),
    "Lasso": Translation(
        "linear",
        {"alpha": lambda value, facts, theirs: rules.elastic_net(float(value), 1.0, facts)},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"tol", "max_iter", "copy_X", "normalize", "precompute", "selection"},
        {"alpha": 1.0},
    ),
    "ElasticNet": Translation(
        "linear",
        {"alpha": lambda value, facts, theirs: rules.elastic_net(float(value), float(theirs["l1_ratio"]), facts)},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"tol", "max_iter", "copy_X", "normalize", "precompute", "selection", "l1_ratio"},
        {"alpha": 1.0, "l1_ratio": 0.5},
    ),
    "KNeighborsClassifier": _NEIGHBOURS,
    "KNeighborsRegressor": _NEIGHBOURS,
    "mlr.ranger": Translation(
        "random_forest",
        {
            "num.trees": "n_estimators", "mtry": lambda v, f, t: rules.max_features(int(v), f, t) if v else {},
            "min.node.size": rules.half_as_leaf, "replace": rules.drawn_with_replacement,
        },
        {"splitrule": (None, "gini", "variance"), "max.depth": (None, 0)},
        _RUNS | {"sample.fraction", "respect.unordered.factors", "importance", "write.forest", "probability"},
        {"num.trees": 500, "replace": True},
        none_is_silent=True,
    ),
    "mlr.xgboost": Translation(
        "xgboost",
        {
            "nrounds": "n_estimators", "eta": "learning_rate", "max_depth": "max_depth",
            "min_child_weight": "min_child_weight", "subsample": "subsample",
            "colsample_bylevel": rules.columns_of_trees,
            "lambda": "reg_lambda", "alpha": rules.none_if_zero("reg_alpha"),
        },
        _XGBOOST_FIXED,
        _XGBOOST_IGNORED,
        {"nrounds": 1, "eta": 0.3, "max_depth": 6, "min_child_weight": 1, "subsample": 1, "colsample_bylevel": 1,
         "lambda": 1, "alpha": 0},
        none_is_silent=True,
        ours={"early_stop": False},
    ),
    "mlr.svm": Translation(
        "svm",
        {"cost": "C", "kernel": rules.kernel, "gamma": rules.kernel_width},
        {"class.weights": (None,), "scale": (None, True)},
        _MACHINE_IGNORED - {"scale"},
        {"cost": 1.0, "kernel": "radial", "gamma": None},
        none_is_silent=True,
    ),
    "mlr.glmnet": Translation(
        "linear",
        {"lambda": rules.glmnet_strength},
        {"standardize": (None, True), "intercept": (None, True)},
        _RUNS | {"alpha", "s", "maxit", "thresh", "family", "nlambda", "lambda.min.ratio", "exact", "type.logistic"},
        {"lambda": None},
    ),
}  # fmt: skip
