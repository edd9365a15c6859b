"""None of these: how probable it is that a query belongs to no class of the support.

A softmax is sure of whatever is least unlike, so it cannot say that nothing is like. The support itself tells what a
member and what a stranger look like: each example is answered by the learner adapted to all others (a member), and by
the learner adapted without its whole class (a stranger). How large the outputs are together (their log-sum-exp: the
energy of Liu et al., 2020) and how clear the largest is tell the two apart, by a logistic regression with as much
weight on members as on strangers.

Letters:  s support · q query · c classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import vmap

from autometa.errors import InputError, Problem
from autometa.fewshot.episode import Examples
from autometa.fewshot.learner import Learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS


@dataclass(frozen=True, slots=True, eq=False)
class NoneOfThese:
    """Tells members of the support's classes from strangers, by what a learner says of them."""

    rule: Any  # a fitted pipeline of scikit-learn
    clearness: bool  # whether it looks at how clear the largest output is, too

    @classmethod
    def of(cls, learner: Learner, weights: Weights, support: Examples) -> NoneOfThese:
        """Learned from the support: each example as a member, and as a stranger.

        Raises:
            InputError: A class has one example only, so that nothing says how far apart members are; or the learner
                says nothing by which a stranger shows.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        y, s = support.y, len(support.y)
        counts = torch.bincount(y)
        if int(counts.min()) < 2:
            fix = "Give two of each at least."
            raise InputError(Problem("none of these", "a class has one example only", fix))
        same = torch.eye(s, dtype=support.mask.dtype, device=y.device)
        own_class = (y[:, None] == y[None]).to(same.dtype)
        hidden = torch.cat([1 - same, 1 - own_class])  # (2 s, s): without the example, without its class

        def answered(mask: Tensor) -> Tensor:  # (s,) -> (s, c)
            adapted = learner.adapt(weights, support._replace(mask=support.mask * mask))
            return learner.predict(weights, adapted, support)

        with torch.no_grad():
            at_once = max(1, OPTIONS.hidden_examples // s)
            every = torch.cat([vmap(answered)(part) for part in hidden.split(at_once)])[..., : len(counts)]
        place = torch.arange(s)
        member, stranger = every[:s][place, place], every[s:][place, place]  # (s, c) each
        # With two classes one is left to a stranger, of which every learner is sure.
        clearness = len(counts) > 2
        seen = np.concatenate([signs(member, clearness), signs(stranger, clearness)])
        if np.ptp(seen, axis=0).max() < OPTIONS.sign_spread:
            what = "this learner says of every query the same, whatever it is"
            raise InputError(Problem("none of these", what, "Give a third class, or take protonet."))
        rule = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        rule.fit(seen, np.repeat([0, 1], s))
        return cls(rule, clearness)

    def probability(self, outputs: Tensor) -> NDArray[np.float64]:  # (q, c) -> (q,)
        """That each is a stranger."""
        found: NDArray[np.float64] = self.rule.predict_proba(signs(outputs, self.clearness))[:, 1]
        return found


def signs(outputs: Tensor, clearness: bool) -> NDArray[np.float64]:  # (q, c) -> (q, 1 or 2)
    """The energy of the outputs, and how clear the largest is."""
    energy = outputs.double().logsumexp(-1)
    parts = [energy, outputs.double().max(-1).values - energy] if clearness else [energy]
    return torch.stack(parts, -1).cpu().numpy()
