"""What a learner is given: a support set, of few examples to learn from, and a query set to be judged by.

An `Episode` is a batch of tasks with a leading axis. Shapes are static, so that tasks stack: where a task has fewer
examples, the rest is padding whose mask is 0. The mask is a number and not a truth value: it *weighs* an example in
every mean and loss, so that the derivative with respect to it says how much that example mattered (`explain`).

Law: padding changes nothing; `Episode.task(i)` is the same without the leading axis.

Letters:  t tasks · s support · q query · n either · c classes · o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

EpisodeKind = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class EpisodeSpec:
    """What all episodes of a source have in common, and so what a learner is built for.

    See Also:
        `Episode`, `make`.

    Example:
        >>> EpisodeSpec("classification", shape=(1, 28, 28), outputs=5).outputs  # five ways
        5
    """

    kind: EpisodeKind
    shape: tuple[int, ...]  # of one example: (channels, height, width) or (p,)
    outputs: int  # classes of an episode ("ways"), or numbers to predict
    known_classes: int = 0  # classes that have an identity beyond the episode, over all training tasks; 0: none have


class Examples(NamedTuple):
    """Examples of one task, or with a leading axis of several.

    See Also:
        `Episode`.

    Example:
        >>> one = Examples(torch.zeros(3, 4), torch.tensor([0, 1, 2]), torch.ones(3, dtype=torch.bool))
        >>> one.x.shape
        torch.Size([3, 4])
    """

    x: Tensor  # (t, n, *shape)
    y: Tensor  # (t, n) int64 in 0..c-1, or (t, n, o)
    mask: Tensor  # (t, n) 1, or 0 for padding; in the type of x


class Episode(NamedTuple):
    """A batch of tasks; without the leading axis, one of them.

    See Also:
        `Examples`, `EpisodeSpec`.

    Example:
        >>> import numpy
        >>> from autometa.fewshot.data import load_data
        >>> source, rng = load_data("digits").train, numpy.random.default_rng(0)
        >>> episode = source.episode(rng, source.propose(rng, 2, way=3), shot=1, query=4)
        >>> episode.task(0).query.y.shape  # of one of two tasks: four queries of each of three classes
        torch.Size([12])
    """

    support: Examples
    query: Examples
    classes: Tensor  # (t, c) int64, which known class each label stands for; -1 when there is no telling

    def task(self, i: int) -> Episode:
        """Task `i`, without the leading axis."""
        return Episode(Examples(*(a[i] for a in self.support)), Examples(*(a[i] for a in self.query)), self.classes[i])

    def some(self, start: int, stop: int) -> Episode:
        """The tasks from `start` to before `stop`, with the leading axis."""
        support, query = (Examples(*(a[start:stop] for a in part)) for part in self[:2])
        return Episode(support, query, self.classes[start:stop])

    def joined(self) -> Examples:  # (s + q, ...)
        """Support and query of one task as one set of examples, the support first."""
        return Examples(*(torch.cat(pair) for pair in zip(*self[:2], strict=True)))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Episode:
        """On another device, or with floating-point numbers of another type."""

        def move(a: Tensor) -> Tensor:
            return a.to(device=device, dtype=dtype if a.is_floating_point() else None)

        support, query = (Examples(*map(move, part)) for part in self[:2])
        return Episode(support, query, move(self.classes))


def one_hot(y: Tensor, c: int, like: Tensor) -> Tensor:  # (..., n) -> (..., n, c)
    """Labels as rows with a single one, in the type of `like`; written so that it maps over tasks."""
    return (y[..., None] == torch.arange(c, device=y.device)).to(like.dtype)


def mean_loss(problem: EpisodeSpec, outputs: Tensor, examples: Examples) -> Tensor:
    """Cross-entropy of logits (n, c), or squared error of values (n, o), over the examples that are not padding."""
    if problem.kind == "classification":
        chosen = outputs.gather(-1, examples.y[..., None])[..., 0]
        each = outputs.logsumexp(-1) - chosen  # (n,)
    else:
        each = (outputs - examples.y).square().mean(-1)
    return (each * examples.mask).sum(-1) / examples.mask.sum(-1).clamp_min(1)


def score(problem: EpisodeSpec, outputs: Tensor, examples: Examples) -> Tensor:  # (t,)
    """Accuracy, or minus the mean squared error: larger is better."""
    if problem.kind == "regression":
        return -mean_loss(problem, outputs, examples)
    right = (outputs.argmax(-1) == examples.y).to(examples.mask.dtype) * examples.mask
    return right.sum(-1) / examples.mask.sum(-1).clamp_min(1)
