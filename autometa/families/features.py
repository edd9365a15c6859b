"""Columns that a pipeline makes of others, as one parameter of a family: which generators may make some.

``lightgbm.features`` is off in every configuration that does not name it, as in all of before. No sampler draws it:
the search tries it on what is best so far (`autometa.search.crossing`), the memory proposes what paid on similar
tables, and a person says ``--set lightgbm.features=arithmetic+groups``. Which columns are made is chosen within each
fit, on its training rows (`learners.screening`).

To add a generator, write it in `learners.screening` and name it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution

from autometa.families.family import Family
from autometa.space import OFF, Config, Parameter, SearchSpace, split_family

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.recipes import Base
    from autometa.task import Columns, Kind

FEATURES = "features"
GENERATORS = ("arithmetic", "groups")  # others were measured and left out: docs/decisions.md
ALL = "+".join(GENERATORS)
CHOICES = (OFF, *("+".join(some) for k in range(1, len(GENERATORS) + 1) for some in combinations(GENERATORS, k)))


def with_parameter(space: SearchSpace) -> SearchSpace:
    """A family's own space, with the parameter as an optional one.

    Example:
        >>> from autometa.space import real
        >>> space = with_parameter(SearchSpace.of(C=real(0.1, 10.0, 1.0)))
        >>> space.default, space.complete({"features": "groups"}), space.d
        ({'C': 1.0}, {'C': 1.0, 'features': 'groups'}, 1)
    """
    return SearchSpace(space.parameters, [*space.optional, Parameter(FEATURES, CategoricalDistribution(CHOICES), OFF)])


def generators_of(made: str) -> tuple[str, ...]:
    """The generators that a value of the parameter names.

    Example:
        >>> generators_of("arithmetic+groups"), generators_of("off")
        (('arithmetic', 'groups'), ())
    """
    return () if made == OFF else tuple(made.split("+"))


def with_features(
    family: Family, config: Config, columns: Columns, kind: Kind, generators: tuple[str, ...], **how: Any
) -> Pipeline:
    """The family's pipeline, and before it the step that makes columns; they are numbers to what follows."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.features import MadeFeatures
    from autometa.families.learners.preprocess import MADE

    wider = replace(columns, numeric=(*columns.numeric, MADE))
    pipeline = family.build(config, wider, kind, **how)
    base: Base = "linear" if family.name == "linear" else "boosting"
    own: dict[str, Any] = {"classification": kind != "regression", "base": base, "seed": how["seed"]}
    step = MadeFeatures(generators, columns.numeric, columns.categorical, **own)
    return Pipeline([(FEATURES, step), *pipeline.steps])


def made_by(model: Any) -> tuple[str, ...] | None:
    """The names of the columns that a fitted model makes; None where its pipeline has no such step.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from autometa.families import build, cash_space, fit
        >>> from autometa.task import Columns
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"price": rng.uniform(1, 9, 500), "area": rng.uniform(1, 9, 500)})
        >>> config = cash_space("regression", ["linear"]).complete({"linear.features": "arithmetic"})
        >>> model = build(config, Columns(numeric=("price", "area")), "regression", n_rows=500, seed=0)
        >>> made_by(fit(model, X, (X["price"] / X["area"]).to_numpy()))[0]
        'price / area'
    """
    step = _step(model)
    return None if step is None else tuple(one.name for one in step.made_)


def as_made(config: Config, model: Any) -> Config:
    """The configuration with the generators that made columns in a fitted model; as it is where none did.

    Example:
        >>> as_made({"family": "linear"}, None)
        {'family': 'linear'}
    """
    step, (family, _) = _step(model), split_family(config)
    if step is None or not step.made_:
        return config
    used = set(step.generators_)
    return config | {f"{family}.{FEATURES}": "+".join(name for name in GENERATORS if name in used)}


def without_features(config: Config) -> Config:
    """The configuration that makes none.

    Example:
        >>> without_features({"family": "linear", "linear.features": "groups"})
        {'family': 'linear'}
    """
    return {name: value for name, value in config.items() if name.rpartition(".")[2] != FEATURES}


def makes_features(config: Config) -> bool:
    """Whether a configuration makes columns.

    Example:
        >>> makes_features({"family": "linear", "linear.features": "groups"}), makes_features({"family": "linear"})
        (True, False)
    """
    return len(without_features(config)) < len(config)


def _step(model: Any) -> Any:
    """The fitted step that makes columns; None where there is none."""
    steps: Sequence[Any] = getattr(getattr(model, "model", model), "steps", ())
    return steps[0][1] if steps and steps[0][0] == FEATURES else None
