"""The catalogue of model families: what can be fitted, over which parameters, and how a pipeline is built.

A family is one file here. It says which parameters it has (`space`; the default configuration is the library's own
default), how a configuration becomes an unfitted scikit-learn pipeline with the preprocessing that suits it (`build`),
and for which tables it is too expensive (`limit`). Its learner is in the file of the same name in
`autometa.families.learners`. To add one, write its file with a `MODEL_FAMILY` and give it a line in `FAMILIES`: the
contract tests find it there.

Laws: every configuration of a family's space builds a pipeline that fits and predicts on any typed table within its
limit, whatever is missing, constant or unseen in a fold; the same seed gives the same predictions; no import of a
learner's library happens before a pipeline is built. A learner that trains piece by piece (`Family.grows_by`) can end
at a deadline; see `learners.truncation`.

Longer than 400 lines by the examples in its docstrings.

Letters:  n rows · p columns · c classes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autometa.errors import InputError, Problem, did_you_mean
from autometa.families import (
    additive,
    catboost,
    discriminant,
    extra_trees,
    few_shot,
    gaussian_process,
    hist_gradient_boosting,
    knn,
    lightgbm,
    linear,
    mlp,
    naive_bayes,
    random_forest,
    set_kernel,
    svm,
    tabdpt,
    tabicl,
    xgboost,
)
from autometa.families.family import QUICK, QUICK_LABEL, Family
from autometa.families.features import (
    FEATURES,
    as_made,
    generators_of,
    made_by,
    makes_features,
    with_features,
    with_parameter,
    without_features,
)
from autometa.families.learners.truncation import Truncatable
from autometa.families.options import OPTIONS
from autometa.families.presets import PRESETS
from autometa.families.registry import FamilyOrigin, Registry
from autometa.moved import former
from autometa.quantiles import quantile_of
from autometa.space import FAMILY, OFF, Config, SearchSpace, split_family

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind, Task
else:
    __getattr__ = former(__name__)

__all__ = [
    "FAMILIES",
    "FEATURES",
    "QUICK",
    "QUICK_LABEL",
    "REGISTRY",
    "Family",
    "FamilyOrigin",
    "as_made",
    "as_truncated",
    "available",
    "build",
    "cash_space",
    "catalogue",
    "fit",
    "foundation_models",
    "made_by",
    "makes_features",
    "presets",
    "register_family",
    "rounds_of",
    "suited",
    "suited_to",
    "truncatable",
    "without_features",
]

# In the order in which one would try their defaults: strong in general first, then what differs from it most.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        lightgbm.MODEL_FAMILY,
        catboost.MODEL_FAMILY,
        extra_trees.MODEL_FAMILY,
        linear.MODEL_FAMILY,
        mlp.MODEL_FAMILY,
        random_forest.MODEL_FAMILY,
        xgboost.MODEL_FAMILY,
        hist_gradient_boosting.MODEL_FAMILY,
        svm.MODEL_FAMILY,
        set_kernel.MODEL_FAMILY,
        knn.MODEL_FAMILY,
        naive_bayes.MODEL_FAMILY,
        discriminant.MODEL_FAMILY,
        additive.MODEL_FAMILY,
        gaussian_process.MODEL_FAMILY,
        few_shot.MODEL_FAMILY,
        tabicl.MODEL_FAMILY,
        tabdpt.MODEL_FAMILY,
    )
}


REGISTRY = Registry(FAMILIES)  # of what is not in this file


def register_family(family: Family) -> Family:
    """Puts a family of your own into the catalogue, so that it joins the search, the memory and the report.

    It has to be defined in a module that can be imported, and is best registered there: trials run in processes of
    their own. A package announces its families to everybody who installs it by entry points of the group
    ``autometa.families``.

    Args:
        family: With a name that the catalogue does not have.

    Returns:
        The family.

    Raises:
        InputError: It is none, its name is taken or no name, or it is defined where no other process finds it.

    See Also:
        `Family`, which says what a family is made of.

    Example:
        >>> from autometa.families import naive_bayes
        >>> register_family(naive_bayes.MODEL_FAMILY)
        Traceback (most recent call last):
            ...
        autometa.errors.InputError: family 'naive_bayes': is in the catalogue already. Choose another name.
    """
    REGISTRY.add(family)
    return family


def catalogue() -> dict[str, Family]:
    """`FAMILIES`, with those that installed packages announce.

    Example:
        >>> "naive_bayes" in catalogue()
        True
    """
    REGISTRY.announced()
    return FAMILIES


def available(kind: Kind) -> tuple[str, ...]:
    """The families for a kind of task whose library is installed, in catalogue order; those of others come last.

    Foundation models are not among them: they are `foundation_models`.

    Example:
        >>> "naive_bayes" in available("binary"), "naive_bayes" in available("regression")
        (True, False)
    """
    of_one_search = REGISTRY.of_one_search
    return tuple(
        family.name
        for family in catalogue().values()
        if kind in family.kinds and family.name not in of_one_search and family.foundation is None
        if _is_installed(family)
    )


def foundation_models(kind: Kind) -> tuple[str, ...]:
    """The families of foundation models for a kind of task that can be used here: package and weights are there.

    Example:
        >>> set(foundation_models("binary")) <= {"tabicl", "tabdpt"}
        True
    """
    found = ((family, family.foundation) for family in FAMILIES.values())
    return tuple(f.name for f, model in found if model is not None and kind in f.kinds and not model.why_not(kind))


def _is_installed(family: Family) -> bool:
    return family.requires is None or importlib.util.find_spec(family.requires) is not None


def cash_space(kind: Kind, families: Sequence[str] | None = None) -> SearchSpace:
    """Which family, then that family's own parameters; all available families, or those named, in catalogue order.

    Raises:
        InputError: If a family is unknown, not made for this kind, or its library is not installed; all are listed.

    See Also:
        `available`, `build`, `autometa.SearchSpace`.

    Example:
        >>> cash_space("binary", ["knn", "linear"]).default["family"]
        'linear'
    """
    known = available(kind)
    if families is not None:
        own = (name for name in families if name in REGISTRY.of_one_search)
        known += tuple(name for name in own if kind in FAMILIES[name].kinds and _is_installed(FAMILIES[name]))
        known += tuple(name for name in foundation_models(kind) if name in families)
        problems = [_problem(name, kind) for name in families if name not in known]
        if not families:
            problems.append(Problem("families", "none was named", f"Known: {', '.join(known)}."))
        if problems:
            raise InputError(problems)
    spaces = {name: FAMILIES[name].space(kind) for name in known if families is None or name in families}
    return SearchSpace.cash(
        {name: with_parameter(space) if FAMILIES[name].makes_features else space for name, space in spaces.items()}
    )


def presets(kind: Kind) -> list[Config]:
    """Configurations of `cash_space` that did well elsewhere, families taking turns in catalogue order.

    Example:
        >>> [config["family"] for config in presets("binary")][:1]
        ['lightgbm']
    """
    space, known = cash_space(kind), available(kind)
    longest = max(len(PRESETS.get(name, ())) for name in known)
    return [
        space.complete({FAMILY: name, **{f"{name}.{key}": value for key, value in PRESETS[name][turn].items()}})
        for turn in range(longest)
        for name in known
        if turn < len(PRESETS.get(name, ()))
    ]


def suited(task: Task, families: Sequence[str]) -> dict[str, str]:
    """Which of `families` are left out for a table of this size and content, with weights, or for a quantile, and why.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from autometa.task import make_task
        >>> many = make_task(pd.DataFrame({"a": np.arange(20_000.0)}), y=np.arange(20_000.0), name="many")
        >>> suited(many, ["linear", "svm"])
        {'svm': 'a kernel machine on 20000 rows takes too long (at most 10000)'}
    """
    reasons = {
        name: FAMILIES[name].limit(task.n, task.p, task.c) or FAMILIES[name].suits(task.columns, task.n)
        for name in families
    }
    if task.weights is not None:
        reasons |= {name: "takes no weights of rows" for name in families if not FAMILIES[name].takes_weights}
    if task.monotonic:
        reasons |= {name: "cannot keep a column monotonic" for name in families if not FAMILIES[name].keeps_monotonic}
    if quantile_of(task.metric) is not None:
        for name in (one for one in families if FAMILIES[one].quantile_rows < task.n):
            most = FAMILIES[name].quantile_rows
            reasons[name] = f"fits quantiles of at most {most:,} rows" if most else "fits the mean, and no quantile"
    return {name: reason for name, reason in reasons.items() if reason is not None}


def build(
    config: Mapping[str, Any],
    columns: Columns,
    kind: Kind,
    *,
    n_rows: int,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    quantile: float | None = None,
    monotonic: Mapping[str, int] | None = None,
) -> Pipeline:
    """The unfitted pipeline of a configuration of `cash_space`; it takes a typed frame and y as codes or values.

    Args:
        config: A configuration of `cash_space(kind)`.
        columns: The typed columns of the table.
        kind: Of the task.
        n_rows: About how many rows it will be fitted on.
        seed: Of whatever the learner draws.
        threads: CPU threads that it may take.
        device: ``cpu``, ``cuda`` or ``auto``; only families that gain from a GPU look at it.
        quantile: Of the target that is predicted, by families with `quantile_rows`; None for its mean.
        monotonic: Numeric columns along which the answer may only rise, 1, or only fall, -1, by families that can
            (`Family.keeps_monotonic`); of two classes, the probability of the second.

    Raises:
        InputError: The configuration is of a family that is unknown, or that cannot keep a column monotonic.

    See Also:
        `fit`, `cash_space`.

    Example:
        >>> from autometa.task import Columns
        >>> config = cash_space("binary", ["knn"]).default
        >>> build(config, Columns(numeric=("a", "b")), "binary", n_rows=100, seed=0)[-1]
        KNeighborsClassifier(n_jobs=1)
    """
    family, own = split_family(config)
    if family not in catalogue():
        raise InputError(_problem(family, kind))
    asked: dict[str, Any] = {} if quantile is None or not FAMILIES[family].quantile_rows else {"quantile": quantile}
    if monotonic:
        if not FAMILIES[family].keeps_monotonic:
            raise InputError(Problem(f"family {family!r}", "cannot keep a column monotonic", "Choose another."))
        asked["monotonic"] = dict(monotonic)
    made = own.pop(FEATURES, OFF)
    if monotonic and made != OFF:
        fix = "Leave out --monotonic, or what is set for it."
        raise InputError(Problem(f"parameter {family}.{FEATURES}", "columns made of others keep no answer rising", fix))
    how: dict[str, Any] = {"n_rows": n_rows, "seed": seed, "threads": threads, "device": device, **asked}
    if made == OFF:
        return FAMILIES[family].build(own, columns, kind, **how)
    return with_features(FAMILIES[family], own, columns, kind, generators_of(made), **how)


def fit(
    pipeline: Pipeline,
    X: pd.DataFrame,  # (n, p)
    y: NDArray[np.generic],  # (n,) class codes 0..c-1, or values
    *,
    seconds: float | None = None,
    sample_weight: NDArray[np.float64] | None = None,  # (n,) how much each row counts, 1 on average
) -> Pipeline:
    """Fits a pipeline of `build` and returns it; its learner, where it can, ends after about so many seconds.

    The seconds are the learner's own, after the preprocessing; None is no limit. How far it came says `as_truncated`.
    Weights of rows are for families that take them (`Family.takes_weights`).

    Raises:
        TimeoutError: There is not even time for the least that the learner can do.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from autometa.task import Columns
        >>> X, y = pd.DataFrame({"a": np.arange(40.0)}), np.arange(40) % 2
        >>> config = cash_space("binary", ["random_forest"]).default
        >>> model = fit(build(config, Columns(numeric=("a",)), "binary", n_rows=40, seed=0), X, y, seconds=60.0)
        >>> as_truncated(config, model) == config  # there was time for all trees
        True
    """
    told: dict[str, Any] = {}
    if seconds is not None and isinstance(_last_step(pipeline), Truncatable):
        told["model__seconds"] = seconds
    if sample_weight is not None:
        told["model__sample_weight"] = sample_weight
    if not told:
        return pipeline.fit(X, y)
    from sklearn import config_context

    with config_context(enable_metadata_routing=False):  # under which a pipeline takes no `step__argument`
        return pipeline.fit(X, y, **told)


def truncatable(space: SearchSpace) -> frozenset[str]:
    """The families of a CASH space whose learners train piece by piece, so that they can end at a deadline.

    Example:
        >>> sorted(truncatable(cash_space("binary", ["linear", "mlp", "random_forest"])))
        ['mlp', 'random_forest']
    """
    return frozenset(
        name for name, family in FAMILIES.items() if family.grows_by and f"{name}.{family.grows_by}" in space
    )


def as_truncated(config: Config, model: Any) -> Config:
    """The configuration that a fitted model is: with the trees, epochs or inducing rows there was time for.

    Raises:
        TimeoutError: There were fewer than the family's space allows.

    Example:
        >>> as_truncated({"family": "knn", "knn.n_neighbors": 5}, None)  # what cannot be truncated is what it was
        {'family': 'knn', 'knn.n_neighbors': 5}
    """
    learner = _last_step(model)
    if not isinstance(learner, Truncatable) or (reached := learner.truncated_at_) is None:
        return config
    name, own = split_family(config)
    family = FAMILIES[name]
    counts = family.grows_by
    assert counts is not None, f"{name} is truncatable and has no grows_by"
    fewest = family.space("regression")[counts].distribution.low  # type: ignore[attr-defined]
    if reached < fewest:
        raise TimeoutError(f"there was time for {counts}={reached} only, of {own[counts]} (at least {fewest})")
    return config | {f"{name}.{counts}": reached}


def rounds_of(config: Config) -> int | None:
    """How many rounds a boosting configuration has; None of any other family.

    Example:
        >>> rounds_of(cash_space("binary", ["lightgbm"]).default), rounds_of(cash_space("binary", ["knn"]).default)
        (100, None)
    """
    name, own = split_family(config)
    family = FAMILIES.get(name)
    if family is None or family.grows_by not in ("n_estimators", "max_iter") or "learning_rate" not in own:
        return None  # CatBoost with a rate of its own choice among them
    return int(own[family.grows_by])


def suited_to(config: Config, rounds: int) -> Config:
    """A boosting configuration with at most so many rounds, and a learning rate that makes up for those it lacks.

    The rate grows as the rounds become fewer, up to `BoostingOptions.largest_rate`: rate times rounds is what a model
    has learned. Where even that does not make up for them, trees become as large as the library's default.

    Example:
        >>> slow = cash_space("binary", ["lightgbm"]).default
        >>> slow |= {"lightgbm.n_estimators": 706, "lightgbm.learning_rate": 0.005, "lightgbm.num_leaves": 5}
        >>> found = suited_to(slow, 100)
        >>> [found[f"lightgbm.{name}"] for name in ("n_estimators", "learning_rate", "num_leaves")]
        [100, 0.0353, 5]
        >>> suited_to(slow, 1000) == slow
        True
    """
    wanted = rounds_of(config)
    if wanted is None or rounds >= wanted:
        return config
    name, own = split_family(config)
    family = FAMILIES[name]
    space = family.space("regression")
    counts, rate = str(family.grows_by), float(own["learning_rate"])
    left = max(rounds, int(space[counts].distribution.low))  # type: ignore[attr-defined]
    needed = rate * wanted / left
    raised = max(rate, min(needed, OPTIONS.boosting.largest_rate))
    changed: dict[str, Any] = {counts: left, "learning_rate": float(f"{raised:.6g}")}
    if needed > OPTIONS.boosting.largest_rate:
        for size in ("num_leaves", "max_leaf_nodes", "max_depth", "depth"):
            if size in own:
                changed[size] = max(own[size], space.default[size])
    return config | {f"{name}.{key}": value for key, value in changed.items()}


def _last_step(model: Any) -> Any:
    """The learner of a pipeline; None where there is no pipeline, such as for a constant prediction."""
    return getattr(model, "steps", [("", None)])[-1][1]


def _problem(name: str, kind: Kind) -> Problem:
    where, known = f"family {name!r}", available(kind)
    if name not in FAMILIES:
        return Problem(where, "unknown", f"{did_you_mean(name, known)} Known: {', '.join(known)}.".strip())
    if kind not in FAMILIES[name].kinds:
        return Problem(where, f"is not made for {kind}", f"Known: {', '.join(known)}.")
    if (model := FAMILIES[name].foundation) is not None and (why := model.why_not(kind)) is not None:
        return why
    return Problem(where, f"needs the package {FAMILIES[name].requires}", "Install it, or leave the family out.")
