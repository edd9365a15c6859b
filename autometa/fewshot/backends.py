"""One task's function, for a batch of tasks.

Learners are written for one task. A back end maps them over tasks: ``loop`` one after another, ``vmap`` all at once,
``chunkK`` in groups of K, whose gradients are added up (less memory, and on a processor often faster than all at once
because a group stays in the cache). ``mixed`` adapts to all supports at once, which begins at weights that the tasks
share, and answers the queries task by task, each with weights of its own; learners that do both in one go are looped.
Which is fastest depends on the learner, the sizes and the machine, so `tune` tries them for an instant.

Law: all back ends give the same numbers, to rounding.

Letters:  t tasks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_map

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.descent import DescentLearner
from autometa.fewshot.episode import Episode
from autometa.fewshot.learner import Learner, TaskOutcome, query_loss
from autometa.fewshot.networks import RUNNING, Weights
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.unbatched import unbatched

BACKENDS = ("loop", "chunk1", "chunk4", "chunk8", "vmap", "mixed")


def group_size(backend: str, t: int) -> int:
    """How many of `t` tasks go together.

    Raises:
        InputError: There is no such back end.
    """
    if backend in ("vmap", "mixed"):
        return t
    if backend == "loop":
        return 1
    match = re.fullmatch(r"chunk([1-9]\d*)", backend)
    if match is None:
        known = ("auto", *BACKENDS)
        fix = f"{did_you_mean(backend, known)} Known: {', '.join(known)}.".strip()
        raise InputError(Problem(f"back end {backend!r}", "is not known", fix))
    return min(int(match[1]), t)


def find_device(asked: str) -> str:
    """The device that is meant: ``auto`` is a GPU where torch sees one, ``cuda:1`` the second of several.

    Raises:
        InputError: It is not there, or no device is called so.

    Example:
        >>> find_device("cpu")
        'cpu'
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = re.fullmatch(r"(cpu|mps|cuda)(?::(\d+))?", asked)
    if kind is None or (kind[2] is not None and kind[1] != "cuda"):
        raise InputError(Problem(f"device {asked!r}", "is not known", "Known: auto, cpu, cuda, cuda:1 and so on, mps."))
    if kind[1] == "cuda" and int(kind[2] or 0) >= torch.cuda.device_count():
        raise InputError(Problem(f"device {asked}", "torch sees no such GPU", "Use cpu."))
    if kind[1] == "mps" and not torch.backends.mps.is_available():
        raise InputError(Problem("device mps", "torch sees none", "Use cpu."))
    return asked


def over_tasks(function: Callable[..., Any], backend: str) -> Callable[..., Any]:
    """``function(weights, *parts of one task)`` as ``function(weights, *parts of t tasks)``; results are stacked."""

    def mapped(weights: Weights, *parts: Any) -> Any:
        t = len(torch.utils._pytree.tree_leaves(parts)[0])
        size = group_size(backend, t)
        results = []
        for start in range(0, t, size):
            if backend == "loop":
                one = tree_map(lambda a, i=start: a[i], parts)
                with unbatched():
                    results.append(tree_map(lambda a: a[None], function(weights, *one)))
            else:
                some = tree_map(lambda a, i=start: a[i : i + size], parts)
                results.append(vmap(function, in_dims=(None, *(0 for _ in parts)))(weights, *some))
        return results[0] if len(results) == 1 else tree_map(lambda *a: torch.cat(a), *results)

    return mapped


def mixes(learner: Learner) -> bool:
    """Whether ``mixed`` is a way of its own: what it minimises is the query loss, once adapted."""
    return isinstance(learner, DescentLearner) and type(learner).loss is DescentLearner.loss


def _losses(learner: Learner, weights: Weights, tasks: Episode, backend: str) -> tuple[Tensor, TaskOutcome]:
    """The loss of each task (t,), and what its queries were answered."""
    if backend != "mixed":
        return over_tasks(learner.loss, backend)(weights, tasks)
    assert isinstance(learner, DescentLearner)
    adapted = vmap(learner.adapt_in_training, in_dims=(None, 0))(weights, tasks.support)

    def answered(weights: Weights, own: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        return query_loss(learner, weights, own, task)

    return over_tasks(answered, "loop")(weights, adapted, tasks)


def meta_gradient(
    learner: Learner, weights: Weights, episode: Episode, backend: str
) -> tuple[Tensor, Weights, TaskOutcome]:  # (), the trained weights' gradients, (t, ...)
    """Mean loss over the tasks, its gradient, and what the tasks' queries were answered."""
    t = len(episode.classes)
    trained = [name for name in weights if not name.startswith(RUNNING)]
    leaves = {name: w.detach().requires_grad_(name in trained) for name, w in weights.items()}
    total, gradients, outcomes = torch.zeros((), device=episode.classes.device), None, []
    backend = "loop" if backend == "mixed" and not mixes(learner) else backend
    size = group_size(backend, t)
    together = backend if backend in ("loop", "mixed") else "vmap"
    for start in range(0, t, size):
        with torch.enable_grad():
            losses, outcome = _losses(learner, leaves, episode.some(start, start + size), together)
            share = losses.sum() / t
            found = torch.autograd.grad(share, [leaves[name] for name in trained], allow_unused=True)
        total = total.to(share) + share.detach()
        outcomes.append(tree_map(Tensor.detach, outcome))
        gradients = found if gradients is None else [_sum(a, b) for a, b in zip(gradients, found, strict=True)]
    assert gradients is not None
    named = {
        name: torch.zeros_like(weights[name]) if g is None else g for name, g in zip(trained, gradients, strict=True)
    }
    return total, named, outcomes[0] if len(outcomes) == 1 else tree_map(lambda *a: torch.cat(a), *outcomes)


def tune(
    learner: Learner, weights: Weights, episode: Episode, *, seconds: float = OPTIONS.tuning_seconds
) -> tuple[str, dict[str, float]]:
    """The fastest back end on this episode, and the seconds that each took; after `seconds` no further one is tried."""
    took: dict[str, float] = {}
    t, begun = len(episode.classes), time.perf_counter()
    sizes = {group_size(name, t): name for name in BACKENDS if name not in ("loop", "mixed")} | {0: "loop"}
    candidates = [name for _, name in sorted(sizes.items(), key=lambda pair: -pair[0])]
    if mixes(learner) and t > 1:
        candidates.insert(1, "mixed")
    for name in candidates:
        if took and time.perf_counter() - begun > seconds:
            break
        fastest = float("inf")
        for call in range(1 + OPTIONS.timed_calls):
            before = time.perf_counter()
            meta_gradient(learner, weights, episode, name)
            if episode.classes.is_cuda:
                torch.cuda.synchronize()
            if call:
                fastest = min(fastest, time.perf_counter() - before)
        took[name] = fastest
    return min(took, key=lambda name: took[name]), took


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b
