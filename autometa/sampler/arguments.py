"""What a sampler refuses to be made of, said at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optuna.samplers import BaseSampler

from autometa.errors import InputError, Problem, did_you_mean
from autometa.store import MetaStore
from autometa.transfer import RECOMMENDERS, Recommender


def refuse_arguments(
    recommender: str | Recommender,
    n_initial: int | None,
    name: str | None,
    store: MetaStore | None,
    metric: str | None,
    cold: BaseSampler | None,
    constraints_func: Callable[..., Any] | None,
    *,
    learn: bool,
) -> None:
    """Raises InputError with everything that is wrong with the arguments of a sampler."""
    problems = []
    if isinstance(recommender, str) and recommender not in RECOMMENDERS:
        known = f"{did_you_mean(recommender, list(RECOMMENDERS))} Known: {', '.join(RECOMMENDERS)}.".strip()
        problems.append(Problem("recommender", f"{recommender!r} is not known", known))
    if n_initial is not None and n_initial < 0:
        problems.append(Problem("n_initial", f"{n_initial} is negative", "Take 0 for no warm start."))
    if name is not None and store is None:
        problems.append(Problem("space", f"the name {name!r} needs a store", "Pass the store that remembers it."))
    if store is not None and name is None and metric is None:
        fix = "Pass metric=, a Task as task=, or the name of a space of your own as space=."
        problems.append(Problem("metric", "a store is given but no metric", fix))
    if cold is not None and constraints_func is not None:
        fix = "Give it to that sampler, or say Trial.set_constraint in the objective."
        problems.append(Problem("constraints_func", "the sampler that is given as cold would not know of it", fix))
    if learn:
        fix = "Remember studies of your own under a name: a surrogate is learned from those."
        problems.append(Problem("learn", "nothing is learned from the memory that ships with AutoMeta", fix))
    if problems:
        raise InputError(problems)
