"""The catalogue of model families: what can be fitted, over which parameters, and how a pipeline is built.

A family is one file here. It says which parameters it has (`space`; the default configuration is the library's own
default), how a configuration becomes an unfitted scikit-learn pipeline with the preprocessing that suits it (`build`),
and for which tables it is too expensive (`limit`). To add one, write its file with a `FAMILY` and give it a line in
`FAMILIES`: the contract tests find it there.

Laws: every configuration of a family's space builds a pipeline that fits and predicts on any typed table within its
limit, whatever is missing, constant or unseen in a fold; the same seed gives the same predictions; no import of a
learner's library happens before a pipeline is built. Learners that grow tree by tree can be cut short (`growth`).

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
    xgboost,
)
from autometa.families.family import Family, Kind
from autometa.families.growth import COUNTS, Growing
from autometa.families.presets import PRESETS
from autometa.space import FAMILY as CHOICE
from autometa.space import Config, SearchSpace, split_family

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Task

__all__ = [
    "FAMILIES",
    "Family",
    "as_grown",
    "available",
    "build",
    "cash_space",
    "growing",
    "limit_growth",
    "presets",
    "suited",
]

# In the order in which one would try their defaults: strong in general first, then what differs from it most.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        lightgbm.FAMILY,
        catboost.FAMILY,
        extra_trees.FAMILY,
        linear.FAMILY,
        mlp.FAMILY,
        random_forest.FAMILY,
        xgboost.FAMILY,
        hist_gradient_boosting.FAMILY,
        svm.FAMILY,
        set_kernel.FAMILY,
        knn.FAMILY,
        naive_bayes.FAMILY,
        discriminant.FAMILY,
        additive.FAMILY,
        gaussian_process.FAMILY,
    )
}


def available(kind: Kind) -> tuple[str, ...]:
    """The families of that kind of task whose library is installed, in catalogue order."""
    return tuple(
        family.name
        for family in FAMILIES.values()
        if kind in family.kinds and (family.requires is None or importlib.util.find_spec(family.requires) is not None)
    )


def cash_space(kind: Kind, families: Sequence[str] | None = None) -> SearchSpace:
    """Which family, then that family's own parameters; all available families, or those named, in catalogue order.

    Raises:
        InputError: If a family is unknown, not made for this kind, or its library is not installed; all are listed.

    Example:
        >>> cash_space("binary", ["knn", "linear"]).default["family"]
        'linear'
    """
    known = available(kind)
    if families is not None:
        problems = [_problem(name, kind) for name in families if name not in known]
        if not families:
            problems.append(Problem("families", "none was named", f"Known: {', '.join(known)}."))
        if problems:
            raise InputError(problems)
    return SearchSpace.cash(
        {name: FAMILIES[name].space(kind) for name in known if families is None or name in families}
    )


def presets(kind: Kind) -> list[Config]:
    """Configurations of `cash_space` that did well elsewhere, families taking turns in catalogue order."""
    space, known = cash_space(kind), available(kind)
    longest = max(len(PRESETS.get(name, ())) for name in known)
    return [
        space.complete({CHOICE: name, **{f"{name}.{key}": value for key, value in PRESETS[name][turn].items()}})
        for turn in range(longest)
        for name in known
        if turn < len(PRESETS.get(name, ()))
    ]


def suited(task: Task, families: Sequence[str]) -> dict[str, str]:
    """Which of `families` are left out for a table of this size, and why; empty when all suit it."""
    reasons = {name: FAMILIES[name].limit(task.n, task.p, task.c) for name in families}
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
) -> Pipeline:
    """The unfitted pipeline of a configuration of `cash_space`; it takes a typed frame and y as codes or values.

    `n_rows` is about how many rows it will be fitted on. Only families that gain from it look at `device`.
    """
    family, own = split_family(config)
    if family not in FAMILIES:
        raise InputError(_problem(family, kind))
    return FAMILIES[family].build(own, columns, kind, n_rows=n_rows, seed=seed, threads=threads, device=device)


def growing(space: SearchSpace) -> frozenset[str]:
    """The families of a CASH space whose learners grow by trees, epochs or the like, so that they can end early."""
    return frozenset(name for name in FAMILIES if any(f"{name}.{counts}" in space for counts in COUNTS))


def limit_growth(pipeline: Pipeline, seconds: float | None) -> None:
    """Lets an unfitted pipeline end after so many seconds of growing, where its family can."""
    if isinstance(learner := _last_step(pipeline), Growing):
        learner.seconds = seconds


def as_grown(config: Config, model: Any) -> Config:
    """The configuration that a fitted model is: with the trees, epochs or inducing rows it had time for, if cut short.

    Raises:
        TimeoutError: There were fewer than the family's space allows.
    """
    learner = _last_step(model)
    if not isinstance(learner, Growing) or (cut := learner.cut_) is None:
        return config
    family, own = split_family(config)
    counts = next(name for name in COUNTS if name in own)
    fewest = FAMILIES[family].space("regression")[counts].distribution.low  # type: ignore[attr-defined]
    if cut < fewest:
        raise TimeoutError(f"there was time for {counts}={cut} only, of {own[counts]} (at least {fewest})")
    return config | {f"{family}.{counts}": cut}


def _last_step(model: Any) -> Any:
    """Of a pipeline; None of what is none, such as a constant prediction."""
    return getattr(model, "steps", [("", None)])[-1][1]


def _problem(name: str, kind: Kind) -> Problem:
    where, known = f"family {name!r}", available(kind)
    if name not in FAMILIES:
        return Problem(where, "unknown", f"{did_you_mean(name, known)} Known: {', '.join(known)}.".strip())
    if kind not in FAMILIES[name].kinds:
        return Problem(where, f"is not made for {kind}", f"Known: {', '.join(known)}.")
    return Problem(where, f"needs the package {FAMILIES[name].requires}", "Install it, or leave the family out.")
