"""Why a learner answered as it did.

`evidence` says which support examples drove an answer: for a learner that attends, its attention (it sums to 1 over the
support); for any other, how much less likely the answer is in logarithm when the example is left out, which costs one
adaptation per example and assumes nothing. `change` says what adaptation did to a gradient learner: how far each weight
moved, what that did to the support loss, and what each query would have been answered without it.

Letters:  s support · q query · o outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from autometa.fewshot.episode import Examples, mean_loss
from autometa.fewshot.learner import Learner
from autometa.fewshot.networks import Weights


def evidence(
    learner: Learner,
    weights: Weights,
    support: Examples,
    query: Examples,
    adapted: Any = None,
    whole: Tensor | None = None,
) -> Tensor:  # (q, s)
    """How much each support example counted in each answer; `kind_of_evidence` says in what unit.

    Args:
        learner: Which answered.
        weights: That it has learned.
        support: What it adapted to.
        query: What it was asked.
        adapted: What it learned from the support; None to learn it here.
        whole: (q, o) its answers; None to ask for them here.
    """
    with torch.no_grad():
        adapted = learner.adapt(weights, support) if adapted is None else adapted
        if hasattr(learner, "attention"):
            return learner.attention(weights, adapted, query)
        whole = learner.predict(weights, adapted, query) if whole is None else whole  # (q, o)

        def without(mask: Tensor) -> Tensor:
            return learner.predict(weights, learner.adapt(weights, support._replace(mask=mask)), query)

        s = len(support.mask)
        left_out = support.mask * (1 - torch.eye(s, dtype=support.mask.dtype, device=support.mask.device))
        others = vmap(without)(left_out)  # (s, q, o)
        if learner.problem.kind == "regression":
            return (others - whole).abs().sum(-1).T
        answer = whole.argmax(-1)  # (q,)
        likely = whole.log_softmax(-1).gather(-1, answer[:, None])[:, 0]
        now = others.log_softmax(-1).gather(-1, answer.expand(s, -1)[..., None])[..., 0]  # (s, q)
        return (likely - now).T


def kind_of_evidence(learner: Learner) -> str:
    """What the numbers of `evidence` mean for this learner."""
    if hasattr(learner, "attention"):
        return "attention"
    return "change when left out" if learner.problem.kind == "regression" else "log-probability lost when left out"


def change(
    learner: Learner, weights: Weights, support: Examples, query: Examples, adapted: Any = None
) -> dict[str, Any] | None:
    """What adaptation changed; None for a learner that does not move weights of its network.

    Args:
        learner: Which answered.
        weights: That it has learned.
        support: What it adapted to.
        query: What it was asked.
        adapted: What it learned from the support; None to learn it here.

    Returns:
        ``moved``: relative distance that each weight moved; ``support_loss``: before and after; ``before`` (q, o):
        what the queries would have been answered without.
    """
    with torch.no_grad():
        adapted = learner.adapt(weights, support) if adapted is None else adapted
        if not isinstance(adapted, dict) or not adapted or not set(adapted) <= set(weights):
            return None
        start = {name: weights[name] for name in adapted}
        moved = {
            name: float((w - start[name]).norm() / start[name].norm().clamp_min(1e-12)) for name, w in adapted.items()
        }
        loss = [
            float(mean_loss(learner.problem, learner.predict(weights, w, support), support)) for w in (start, adapted)
        ]
        return {"moved": moved, "support_loss": loss, "before": learner.predict(weights, start, query)}
