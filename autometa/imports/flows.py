"""Hyperparameters of other libraries' learners as configurations of our families.

`translate` takes the name of a flow and its settings, as OpenML has them, and gives a configuration that would build
the same model, or says why there is none. Exact where the libraries agree; three things are taken as near enough,
because nearly every run differs in them: a node that is not split below s rows (``min_samples_split``, ranger's
``min.node.size``) as leaves of s / 2 rows; columns sampled for each level of a tree as sampled for the tree; boosted
trees of depth d, one library's only choice, as trees of 2^d leaves. Our boosting takes categories its own way, however
the flow encoded them.

To teach another learner, give it a line in `LEARNERS`: what each of its parameters becomes, which must have a certain
value, and which change nothing that a score could show.

Letters:  n rows to train on · p columns.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autometa.families import FAMILIES, Family
from autometa.space import FAMILY, Config, SearchSpace

NONE = 1e-4  # the low end of our regularisation ranges, which stands for none


class Unmapped(Exception):
    """There is no such configuration here; says why."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a translation needs to know of a task."""

    kind: str
    n: int  # rows to train on
    p: int  # columns
    width: int  # columns once categories are one-hot
    categorical: int  # of the columns
    spread: float = 1.0  # standard deviation of a regression target


Own = dict[str, Any]
Rule = Callable[[Any, Facts, Own], Own]  # a value, the task, the other settings -> parameters of ours


@dataclass(frozen=True, slots=True)
class Learner:
    """How one library's learner is one of our families."""

    family: str
    rules: Mapping[str, str | Rule]  # their parameter -> ours of the same value, or a rule
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # their parameter -> what it must be
    ignored: frozenset[str] = frozenset()  # what no score shows
    given: Mapping[str, Any] = field(default_factory=dict)  # what the library assumes where a setting is silent
    none_is_silent: bool = False  # whether None stands for the library's own default
    ours: Mapping[str, Any] = field(default_factory=dict)  # our parameters that it always has


def translate(flow: str, settings: Iterable[Mapping[str, Any]], facts: Facts) -> Config:
    """The configuration of a flow's run.

    Args:
        flow: Its name at OpenML.
        settings: Of its run: dictionaries with ``component``, ``name``, ``value`` and ``default``, as texts.
        facts: Of the task.

    Raises:
        Unmapped: There is none.

    Example:
        >>> facts = Facts("binary", n=900, p=16, width=16, categorical=0)
        >>> setting = {"component": "mlr.classif.ranger", "name": "num.trees", "value": "200", "default": "500"}
        >>> config = translate("mlr.classif.ranger(8)", [setting], facts)
        >>> config["family"], config["random_forest.n_estimators"], config["random_forest.max_features"]
        ('random_forest', 200, 'sqrt')
    """
    steps = steps_of(flow)
    name = _learner(steps)
    learner = LEARNERS[name]
    family = FAMILIES[learner.family]
    made_for = [word for word, names in _MADE_FOR.items() if name.endswith(names)]
    if made_for and (made_for[0] == "regression") is not (facts.kind == "regression"):
        raise Unmapped(f"{name} is not made for {facts.kind}")
    theirs = dict(learner.given)
    for setting in settings:
        if steps_of(setting["component"].partition("(")[0])[-1:] == [name]:
            value = read_value(setting["value"])
            if value is not None or not learner.none_is_silent:
                theirs[setting["name"]] = value
            known = any(setting["name"] in part for part in (learner.rules, learner.fixed, learner.ignored))
            if not known and value is not None and setting["value"] != setting.get("default"):
                raise Unmapped(f"its parameter {setting['name']} has no counterpart")
    own: Own = dict(learner.ours) | _preparation(family, facts, name, [s for s in steps if s != name])
    for parameter, allowed in learner.fixed.items():
        if parameter in theirs and not any(_same(theirs[parameter], value) for value in allowed):
            raise Unmapped(f"{parameter}={theirs[parameter]!r} has no counterpart")
    for parameter, rule in learner.rules.items():
        if parameter not in theirs:
            continue
        try:
            own |= {rule: theirs[parameter]} if isinstance(rule, str) else rule(theirs[parameter], facts, theirs)
        except (TypeError, ValueError, ArithmeticError):
            raise Unmapped(f"{parameter}={theirs[parameter]!r} means nothing here") from None
    return _configuration(family, facts.kind, own)


def read_value(text: Any) -> Any:
    """A hyperparameter out of its text: JSON as scikit-learn's flows have it, or R's notation.

    Example:
        >>> [read_value(t) for t in ('"gini"', "null", "TRUE", "0.5", "None", "radial")]
        ['gini', None, True, 0.5, None, 'radial']
    """
    if not isinstance(text, str):
        return text
    words = {"TRUE": True, "True": True, "T": True, "FALSE": False, "False": False, "F": False, "None": None, "": None}
    words |= {"NULL": None, "NA": None}
    if text.strip() in words:
        return words[text.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text.strip().strip("'\"")


def steps_of(flow: str) -> list[str]:
    """The classes in a flow's name, outermost first; mlr's wrappers before the learner.

    Example:
        >>> steps_of("sklearn.pipeline.Pipeline(imp=sklearn.impute._base.SimpleImputer,clf=sklearn.svm.classes.SVC)(1)")
        ['Pipeline', 'SimpleImputer', 'SVC']
        >>> steps_of("mlr.classif.svm.dummied(3)")
        ['dummied', 'mlr.svm']
    """
    steps = []
    for part in re.split(r"[(),]", flow):
        name = part.rpartition("=")[2].strip()
        if mlr := re.fullmatch(r"mlr\.(?:classif|regr)\.(\w+)((?:\.\w+)*)", name):
            steps += [*mlr[2].split(".")[1:], f"mlr.{mlr[1]}"]
        elif name and not name.isdecimal():
            steps.append(name.rpartition(".")[2])
    return steps


# ---------------------------------------------------------------------------------------------------- around a learner

SEARCHES = {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "BayesSearchCV", "tuned"}
HARMLESS = {
    "Pipeline", "ColumnTransformer", "FeatureUnion", "FunctionTransformer", "SimpleImputer", "Imputer",
    "ConditionalImputer", "ConditionalImputer2", "CategoricalImputer", "VarianceThreshold", "MissingIndicator",
    "imputed", "passthrough", "drop",
}  # fmt: skip
SCALES = {"StandardScaler": "standard", "RobustScaler": "robust", "QuantileTransformer": "quantile"}
ENCODINGS = {"OneHotEncoder": "onehot", "dummied": "onehot", "OrdinalEncoder": "ordinal", "TargetEncoder": "target"}
OTHER_SCALES = {"MinMaxScaler", "MaxAbsScaler"}  # nothing to a tree


_MADE_FOR: dict[str, tuple[str, ...]] = {  # endings of names; mlr's learners are made for both
    "regression": ("Regressor", "SVR", "Ridge", "Lasso", "ElasticNet"),
    "classification": ("Classifier", "SVC", "LogisticRegression"),
}


def _learner(steps: list[str]) -> str:
    """The one learner that we have in a flow."""
    found = [step for step in steps if step in LEARNERS]
    if searches := [step for step in steps if step in SEARCHES]:
        raise Unmapped(f"a search ({searches[0]}), whose choice is not said")
    if not found:
        raise Unmapped(f"no family of ours is {steps[-1] if steps else 'that'}")
    if len(found) > 1:
        raise Unmapped(f"several learners: {', '.join(found)}")
    return found[0]


def _preparation(family: Family, facts: Facts, name: str, steps: list[str]) -> Own:
    """How our pipeline prepares what the flow's other steps do."""
    space = family.space(facts.kind)  # type: ignore[arg-type]
    scaled = "scale" in space
    known = HARMLESS | set(SCALES) | set(ENCODINGS) | (set() if scaled else OTHER_SCALES)
    if strange := [step for step in steps if step not in known]:
        raise Unmapped(f"our pipelines have no {strange[0]}")
    own: Own = {}
    if scaled:
        scales = [SCALES[step] for step in steps if step in SCALES]
        scales += ["standard"] if name in SCALES_ITSELF and not scales else []
        if len(scales) != 1:
            raise Unmapped("its numbers are not scaled, and ours always are" if not scales else "it scales twice")
        own["scale"] = scales[0]
    if "categories" in space and facts.categorical:
        choices = space["categories"].distribution.choices  # type: ignore[attr-defined]
        encodings = [ENCODINGS[step] for step in steps if step in ENCODINGS] or ["ordinal"]
        if name in SCALES_ITSELF:  # they make dummies of factors
            encodings = ["onehot"]
        if encodings[0] not in choices:
            raise Unmapped("it takes the codes of categories for numbers")
        own["categories"] = encodings[0]
    return own


def _configuration(family: Family, kind: str, own: Own) -> Config:
    """`own` as a configuration, completed with our defaults; Unmapped where it is none."""
    space = family_space(family.name, kind)
    if strange := [name for name in own if f"{family.name}.{name}" not in space]:
        raise Unmapped(f"{strange[0]} is no parameter of ours for {kind}")
    given = {f"{family.name}.{name}": fitted(space, f"{family.name}.{name}", value) for name, value in own.items()}
    config = space.complete({FAMILY: family.name, **given})
    if problems := space.problems(config):  # the first, without its value: so that runs can be counted by it
        name, _, what = problems[0].partition(": ")
        raise Unmapped(f"{name.removeprefix(f'{family.name}.')}{what[what.rindex(' is outside') :]}")
    return config


@cache
def family_space(name: str, kind: str) -> SearchSpace:
    """The space of one family as a choice of families, whether or not its library is installed here."""
    return SearchSpace.cash({name: FAMILIES[name].space(kind)})  # type: ignore[arg-type]


def fitted(space: SearchSpace, name: str, value: Any) -> Any:
    """A value in the type that a parameter has: 100.0 for a whole number is 100, "1.0" for the choice 1.0 is that."""
    if name not in space:
        return value
    distribution = space[name].distribution
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return next((choice for choice in choices if _same(choice, value)), value)
    if isinstance(value, str):
        value = read_value(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    whole = type(distribution).__name__ == "IntDistribution"
    return int(value) if whole and float(value).is_integer() else value if whole else float(value)


def _same(a: Any, b: Any) -> bool:
    """Equal, whatever the type that a file gave them: True is "true" but not 1."""
    a, b = read_value(a), read_value(b)
    if isinstance(a, float) and math.isnan(a):
        a = None
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9)
    return str(a) == str(b)


# ------------------------------------------------------------------------------------------------------------- rules


def _nearest_share(share: float, facts: Facts) -> Any:
    """The choice of forests that looks at about so large a share of the columns at a split."""
    p = max(facts.p, 1)
    shares = {"sqrt": math.sqrt(p) / p, "log2": max(math.log2(p), 1.0) / p} | {f: f for f in (0.2, 0.4, 0.6, 0.8, 1.0)}
    nearest = min(shares, key=lambda choice: abs(shares[choice] - share))
    if abs(shares[nearest] - share) > max(1.0 / p, 0.1 + 1e-9):  # a column, or half of a step between our choices
        raise Unmapped("no choice of ours is near its share of the columns")
    return nearest


def _max_features(value: Any, facts: Facts, theirs: Own) -> Own:
    if value in ("sqrt", "log2"):
        return {"max_features": value}
    if value == "auto":
        return {"max_features": 1.0 if facts.kind == "regression" else "sqrt"}
    if value is None:
        return {"max_features": 1.0}
    share = value if isinstance(value, float) and value <= 1 else value / max(facts.p, 1)
    return {"max_features": _nearest_share(min(share, 1.0), facts)}


def _leaf(value: Any, facts: Facts, theirs: Own) -> Own:
    """Rows that a leaf holds at least, with what stops a split above it."""
    leaf = math.ceil(value * facts.n) if isinstance(value, float) and value < 1 else int(value)
    split = theirs.get("min_samples_split", 2)
    split = math.ceil(split * facts.n) if isinstance(split, float) and split < 1 else int(split or 2)
    return {"min_samples_leaf": max(leaf, split // 2, 1)}


def _bootstrap(value: Any, facts: Facts, theirs: Own) -> Own:
    if not value:
        return {"bootstrap": False}
    rows = theirs.get("max_samples")
    share = 1.0 if rows is None else rows if isinstance(rows, float) and rows <= 1 else rows / facts.n
    return {"bootstrap": True, "max_samples": float(share)}


def _replace(value: Any, facts: Facts, theirs: Own) -> Own:
    share = float(theirs.get("sample.fraction") or (1.0 if value else 0.632))
    if value:
        return {"bootstrap": True, "max_samples": share}
    if share < 1:
        raise Unmapped("its trees see rows drawn without replacement")
    return {"bootstrap": False}


def _none_if_zero(ours: str) -> Rule:
    return lambda value, facts, theirs: {ours: max(float(value or 0.0), NONE)}


def _gamma(value: Any, facts: Facts, theirs: Own) -> Own:
    """Ours is a multiple of 1 / (columns * variance), and scaled columns have variance one."""
    return {"gamma": 1.0 if value in ("auto", "scale", "auto_deprecated", None) else float(value) * facts.width}


def _kernel(value: Any, facts: Facts, theirs: Own) -> Own:
    kernel = {"rbf": "rbf", "radial": "rbf", "poly": "poly", "polynomial": "poly"}.get(value)
    if kernel is None:
        raise Unmapped(f"no kernel of ours is {value}")
    if kernel == "rbf":
        return {"kernel": "rbf"}
    if float(theirs.get("coef0") or 0.0) != 1.0:
        raise Unmapped("its polynomial kernel has no constant term, and ours has 1")
    return {"kernel": "poly", "degree": theirs.get("degree") or 3}


def _in_units_of_spread(ours: str) -> Rule:
    """Ours sees a standardised target."""
    return lambda value, facts, theirs: {ours: float(value) / (facts.spread or 1.0)}


def _logistic(value: Any, facts: Facts, theirs: Own) -> Own:
    ratio = theirs.get("l1_ratio") or 0.0
    if value == "l1" or (value == "elasticnet" and ratio == 1):
        return {"penalty": "elasticnet", "l1_ratio": 1.0}
    if value == "elasticnet" and ratio:
        return {"penalty": "elasticnet", "l1_ratio": float(ratio)}
    if value in ("l2", "elasticnet", "deprecated"):
        return {"penalty": "l2"}
    raise Unmapped(f"penalty={value!r} has no counterpart")


def _elastic(strength: float, ratio: float, facts: Facts) -> Own:
    """``|y - Xw|^2 / 2n + strength (ratio |w|_1 + (1 - ratio) |w|^2 / 2)`` for a target divided by its spread."""
    first, second = strength * ratio / (facts.spread or 1.0), strength * (1.0 - ratio)
    alpha = first + second
    if ratio == 0:
        return {"alpha": alpha * facts.n, "penalty": "l2"}
    return {"alpha": alpha * facts.n, "penalty": "elasticnet", "l1_ratio": first / alpha}


def _glmnet(value: Any, facts: Facts, theirs: Own) -> Own:
    """Its loss is a mean where ours is a sum."""
    strength = theirs.get("s") or value
    if not strength:
        raise Unmapped("it does not say how much it shrinks")
    ratio = 1.0 if theirs.get("alpha") is None else float(theirs["alpha"])
    if facts.kind == "regression":
        return _elastic(float(strength), ratio, facts)
    own: Own = {"C": 1.0 / (facts.n * float(strength)), "penalty": "elasticnet" if ratio else "l2"}
    return own | ({"l1_ratio": ratio} if ratio else {})


def _neighbour_metric(value: Any, facts: Facts, theirs: Own) -> Own:
    power = {"minkowski": theirs.get("p", 2), "euclidean": 2, "manhattan": 1, "l1": 1, "l2": 2}.get(value)
    if power is None:
        raise Unmapped(f"no distance of ours is {value}")
    return {"p": power}


def _columns_of_trees(value: Any, facts: Facts, theirs: Own) -> Own:
    """Sampled for the tree and again for each level."""
    return {
        "colsample_bytree": float(theirs.get("colsample_bytree") or 1.0) * float(value if value is not None else 1.0)
    }


def _subsample(value: Any, facts: Facts, theirs: Own) -> Own:
    """LightGBM draws rows only if it is told how often."""
    return {"subsample": float(value) if theirs.get("subsample_freq") else 1.0}


def _depth_as_leaves(value: Any, facts: Facts, theirs: Own) -> Own:
    if value is None:
        raise Unmapped("its trees grow without end")
    leaves = 2 ** int(value)
    return {"max_leaf_nodes": 255 if leaves == 256 else leaves}  # one less is the most we have


def _share_of_columns(value: Any, facts: Facts, theirs: Own) -> Own:
    p = max(facts.p, 1)
    shares = {"sqrt": math.sqrt(p) / p, "log2": math.log2(max(p, 2)) / p, "auto": 1.0, None: 1.0}
    if isinstance(value, str) or value is None:
        return {"max_features": shares.get(value, math.nan)}
    return {"max_features": value if isinstance(value, float) else value / p}


def _least_rows(value: Any, facts: Facts, theirs: Own) -> Own:
    return {"min_samples_leaf": max(int(value) // 2, 1)}


# ---------------------------------------------------------------------------------------------------------- learners

SCALES_ITSELF = {"mlr.svm", "mlr.glmnet"}  # and makes dummies of factors

_RUNS = frozenset({"n_jobs", "random_state", "verbose", "verbosity", "warm_start", "nthread", "num.threads", "seed"})
_FOREST: dict[str, str | Rule] = {
    "n_estimators": "n_estimators", "max_features": _max_features, "min_samples_leaf": _leaf, "bootstrap": _bootstrap,
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


def _forest(family: str, kind: str) -> Learner:
    criteria: dict[str, str | Rule] = {}
    if kind == "classification":
        criteria = _CLASSES | {"criterion": "criterion"}
    fixed = _FOREST_FIXED if criteria else _FOREST_FIXED | {"criterion": ("squared_error", "mse")}
    given = {"bootstrap": family == "random_forest"}
    return Learner(family, {**_FOREST, **criteria}, fixed, _FOREST_IGNORED, given)


_HIST = Learner(
    "hist_gradient_boosting",
    {
        "max_iter": "max_iter", "learning_rate": "learning_rate", "max_leaf_nodes": "max_leaf_nodes",
        "min_samples_leaf": "min_samples_leaf", "l2_regularization": _none_if_zero("l2_regularization"),
        "max_features": "max_features", "early_stopping": "early_stop", "class_weight": "class_weight",
    },
    {
        "max_depth": (None,), "max_bins": (255,), "interaction_cst": (None,), "monotonic_cst": (None,),
        "loss": ("log_loss", "squared_error", "least_squares", "auto", "binary_crossentropy"),
    },
    _RUNS | _BOOSTING_STOP - {"loss"} | {"categorical_features"},
)  # fmt: skip
_GRADIENT = Learner(
    "hist_gradient_boosting",
    {
        "n_estimators": "max_iter", "learning_rate": "learning_rate", "max_depth": _depth_as_leaves,
        "min_samples_leaf": _leaf, "max_features": _share_of_columns,
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
_LIGHTGBM = Learner(
    "lightgbm",
    {
        "n_estimators": "n_estimators", "learning_rate": "learning_rate", "num_leaves": "num_leaves",
        "min_child_samples": "min_child_samples", "subsample": _subsample, "colsample_bytree": "colsample_bytree",
        "reg_lambda": _none_if_zero("reg_lambda"), "extra_trees": "extra_trees", "class_weight": "class_weight",
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
_XGBOOST = Learner(
    "xgboost",
    {
        "n_estimators": "n_estimators", "learning_rate": "learning_rate", "max_depth": "max_depth",
        "min_child_weight": "min_child_weight", "subsample": "subsample", "colsample_bylevel": _columns_of_trees,
        "reg_lambda": "reg_lambda", "reg_alpha": _none_if_zero("reg_alpha"),
    },
    _XGBOOST_FIXED,
    _XGBOOST_IGNORED,
    {"n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "min_child_weight": 1, "subsample": 1,
     "colsample_bylevel": 1, "reg_lambda": 1, "reg_alpha": 0},
    none_is_silent=True,
    ours={"early_stop": False},
)  # fmt: skip
_NEIGHBOURS = Learner(
    "knn",
    {"n_neighbors": "n_neighbors", "weights": "weights", "metric": _neighbour_metric},
    {"metric_params": (None,)},
    _RUNS | {"algorithm", "leaf_size", "p"},
    {"metric": "minkowski"},
)

LEARNERS: dict[str, Learner] = {
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
    "SVC": Learner(
        "svm", {"C": "C", "kernel": _kernel, "gamma": _gamma, **_CLASSES}, {}, _MACHINE_IGNORED, {"kernel": "rbf"}
    ),
    "SVR": Learner(
        "svm",
        {"C": _in_units_of_spread("C"), "epsilon": _in_units_of_spread("epsilon"), "kernel": _kernel, "gamma": _gamma},
        {},
        _MACHINE_IGNORED,
        {"kernel": "rbf", "C": 1.0, "epsilon": 0.1},
    ),
    "LogisticRegression": Learner(
        "linear",
        {"C": "C", "penalty": _logistic, **_CLASSES},
        {"fit_intercept": (True,)},
        _RUNS | {"solver", "tol", "max_iter", "dual", "multi_class", "intercept_scaling", "l1_ratio"},
        {"penalty": "l2"},
    ),
    "Ridge": Learner(
        "linear",
        {"alpha": "alpha"},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"solver", "tol", "max_iter", "copy_X", "normalize"},
    ),
    "Lasso": Learner(
        "linear",
        {"alpha": lambda value, facts, theirs: _elastic(float(value), 1.0, facts)},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"tol", "max_iter", "copy_X", "normalize", "precompute", "selection"},
        {"alpha": 1.0},
    ),
    "ElasticNet": Learner(
        "linear",
        {"alpha": lambda value, facts, theirs: _elastic(float(value), float(theirs["l1_ratio"]), facts)},
        {"fit_intercept": (True,), "positive": (False,)},
        _RUNS | {"tol", "max_iter", "copy_X", "normalize", "precompute", "selection", "l1_ratio"},
        {"alpha": 1.0, "l1_ratio": 0.5},
    ),
    "KNeighborsClassifier": _NEIGHBOURS,
    "KNeighborsRegressor": _NEIGHBOURS,
    "mlr.ranger": Learner(
        "random_forest",
        {
            "num.trees": "n_estimators", "mtry": lambda v, f, t: _max_features(int(v), f, t) if v else {},
            "min.node.size": _least_rows, "replace": _replace,
        },
        {"splitrule": (None, "gini", "variance"), "max.depth": (None, 0)},
        _RUNS | {"sample.fraction", "respect.unordered.factors", "importance", "write.forest", "probability"},
        {"num.trees": 500, "replace": True},
        none_is_silent=True,
    ),
    "mlr.xgboost": Learner(
        "xgboost",
        {
            "nrounds": "n_estimators", "eta": "learning_rate", "max_depth": "max_depth",
            "min_child_weight": "min_child_weight", "subsample": "subsample", "colsample_bylevel": _columns_of_trees,
            "lambda": "reg_lambda", "alpha": _none_if_zero("reg_alpha"),
        },
        _XGBOOST_FIXED,
        _XGBOOST_IGNORED,
        {"nrounds": 1, "eta": 0.3, "max_depth": 6, "min_child_weight": 1, "subsample": 1, "colsample_bylevel": 1,
         "lambda": 1, "alpha": 0},
        none_is_silent=True,
        ours={"early_stop": False},
    ),
    "mlr.svm": Learner(
        "svm",
        {"cost": "C", "kernel": _kernel, "gamma": _gamma},
        {"class.weights": (None,), "scale": (None, True)},
        _MACHINE_IGNORED - {"scale"},
        {"cost": 1.0, "kernel": "radial", "gamma": None},
        none_is_silent=True,
    ),
    "mlr.glmnet": Learner(
        "linear",
        {"lambda": _glmnet},
        {"standardize": (None, True), "intercept": (None, True)},
        _RUNS | {"alpha", "s", "maxit", "thresh", "family", "nlambda", "lambda.min.ratio", "exact", "type.logistic"},
        {"lambda": None},
    ),
}  # fmt: skip
