"""Hyperparameters of other libraries' learners as configurations of our families.

`translate` takes the name of a flow and its settings, as OpenML has them, and gives a configuration that would build
the same model, or says why there is none. Exact where the libraries agree; three things are taken as near enough,
because nearly every run differs in them: a node that is not split below s rows (``min_samples_split``, ranger's
``min.node.size``) as leaves of s / 2 rows; columns sampled for each level of a tree as sampled for the tree; boosted
trees of depth d, one library's only choice, as trees of 2^d leaves. Our boosting takes categories its own way, however
the flow encoded them.

To teach another learner, give it a line in `translations.TRANSLATIONS`.

Letters:  n rows to train on · p columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from autometa.families import FAMILIES, Family
from autometa.imports.rules import Facts, Parameters, Unmapped
from autometa.imports.translations import SCALES_ITSELF, TRANSLATIONS
from autometa.imports.values import family_space, fitted, read_value, same
from autometa.moved import former
from autometa.space import FAMILY, Config

if not TYPE_CHECKING:
    __getattr__ = former(__name__)


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
    learner = TRANSLATIONS[name]
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
    parameters: Parameters = dict(learner.ours) | _preparation(family, facts, name, [s for s in steps if s != name])
    for parameter, allowed in learner.fixed.items():
        if parameter in theirs and not any(same(theirs[parameter], value) for value in allowed):
            raise Unmapped(f"{parameter}={theirs[parameter]!r} has no counterpart")
    for parameter, rule in learner.rules.items():
        if parameter not in theirs:
            continue
        try:
            parameters |= {rule: theirs[parameter]} if isinstance(rule, str) else rule(theirs[parameter], facts, theirs)
        except (TypeError, ValueError, ArithmeticError):
            raise Unmapped(f"{parameter}={theirs[parameter]!r} means nothing here") from None
    return _configuration(family, facts.kind, parameters)


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
    found = [step for step in steps if step in TRANSLATIONS]
    if searches := [step for step in steps if step in SEARCHES]:
        raise Unmapped(f"a search ({searches[0]}), whose choice is not said")
    if not found:
        raise Unmapped(f"no family of ours is {steps[-1] if steps else 'that'}")
    if len(found) > 1:
        raise Unmapped(f"several learners: {', '.join(found)}")
    return found[0]


def _preparation(family: Family, facts: Facts, name: str, steps: list[str]) -> Parameters:
    """How our pipeline prepares what the flow's other steps do."""
    space = family.space(facts.kind)  # type: ignore[arg-type]
    scaled = "scale" in space
    known = HARMLESS | set(SCALES) | set(ENCODINGS) | (set() if scaled else OTHER_SCALES)
    if strange := [step for step in steps if step not in known]:
        raise Unmapped(f"our pipelines have no {strange[0]}")
    parameters: Parameters = {}
    if scaled:
        scales = [SCALES[step] for step in steps if step in SCALES]
        scales += ["standard"] if name in SCALES_ITSELF and not scales else []
        if len(scales) != 1:
            raise Unmapped("its numbers are not scaled, and ours always are" if not scales else "it scales twice")
        parameters["scale"] = scales[0]
    if "categories" in space and facts.categorical:
        choices = space["categories"].distribution.choices  # type: ignore[attr-defined]
        encodings = [ENCODINGS[step] for step in steps if step in ENCODINGS] or ["ordinal"]
        if name in SCALES_ITSELF:  # they make dummies of factors
            encodings = ["onehot"]
        if encodings[0] not in choices:
            raise Unmapped("it takes the codes of categories for numbers")
        parameters["categories"] = encodings[0]
    return parameters


def _configuration(family: Family, kind: str, parameters: Parameters) -> Config:
    """`parameters` as a configuration, completed with our defaults; Unmapped where it is none."""
    space = family_space(family.name, kind)
    if strange := [name for name in parameters if f"{family.name}.{name}" not in space]:
        raise Unmapped(f"{strange[0]} is no parameter of ours for {kind}")
    given = {
        f"{family.name}.{name}": fitted(space, f"{family.name}.{name}", value) for name, value in parameters.items()
    }
    config = space.complete({FAMILY: family.name, **given})
    if problems := space.problems(config):  # the first, without its value: so that runs can be counted by it
        name, _, what = problems[0].partition(": ")
        raise Unmapped(f"{name.removeprefix(f'{family.name}.')}{what[what.rindex(' is outside') :]}")
    return config
