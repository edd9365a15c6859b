"""A trained learner on one table of any number of rows, as a search needs it: rows as numbers, each answered by itself.

A search judges by folds and answers row by row, so what a learner says of a row may not depend on the rows beside it.
Networks that normalise queries by one another (MAML's and its kin's) are here normalised by the support: its
statistics, once it was adapted to, stand in for theirs.

What a learner's network makes of an example whatever the task (`embeds`) is made once, for all folds and
configurations, and the head is adapted on it. A network that adapts itself is given the examples as they are.

Letters:  n rows · p numbers of a row · c classes · o outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_map

from autometa.fewshot.bodies import EmbeddedSpec, Plain
from autometa.fewshot.data.tables import standardised
from autometa.fewshot.descent import AdaptedNetwork
from autometa.fewshot.episode import EpisodeSpec, Examples
from autometa.fewshot.learner import with_outputs
from autometa.fewshot.networks import RUNNING, Norms, Weights, embed, linear_head
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.trained import Trained, bright_strokes, shaped

INNER_STEPS = (
    "test_steps",
    "steps",
)  # names of the option that counts the steps of adaptation, the first that is there


def embeds(trained: Trained) -> bool:
    """Whether images are embedded by its network before its head is adapted: for every task alike."""
    return bool(getattr(trained.learner, "fixed_body", False)) and len(trained.learner.problem.shape) == 3


def has_features(trained: Trained) -> bool:
    """Whether there is a network whose features another head can be put on."""
    learner: Any = trained.learner
    if not (getattr(learner, "fixed_body", False) or isinstance(learner, AdaptedNetwork)):
        return False
    return not isinstance(learner.network, Plain)


def numbers_of(trained: Trained) -> int:
    """How many numbers a row has: features of its network, or an example's own."""
    learner: Any = trained.learner
    return int(learner.network.features) if embeds(trained) else int(np.prod(learner.problem.shape))


def rows_of_images(trained: Trained, images: NDArray[np.uint8]) -> NDArray[np.float32]:  # (n, ch, h, w) -> (n, p)
    """Images as rows: embedded, or their pixels."""
    numbers = shaped("encoder", images, trained.learner.problem, pixels=trained.pixels, drawings=trained.drawings)
    if isinstance(numbers, list):
        from autometa.errors import InputError

        raise InputError(numbers)
    if not embeds(trained):
        return numbers.reshape(len(numbers), -1)
    learner: Any = trained.learner
    x = torch.from_numpy(numbers).to(trained.device)
    with torch.no_grad():
        h: Tensor = embed(learner.network, trained.weights, x, torch.ones_like(x[:, 0, 0, 0]), Norms(running=True))
    return h.float().cpu().numpy()


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A trained learner that has taken the rows of a table.

    Example:
        >>> from autometa.fewshot import TrainingSettings, find_learner, from_arrays, make, train
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(12).repeat(20)
        >>> x = rng.normal(size=(240, 8)) + 3 * rng.normal(size=(12, 8))[y]
        >>> data = from_arrays(x, y, way=3)
        >>> learner = make(find_learner("protonet"), data.train.problem(3), {"width": 8})
        >>> settings = TrainingSettings(3, way=3, query=2, look_every=3, look_episodes=2, backend="vmap")
        >>> trained = Trained.of(train(learner, data, settings))
        >>> Applied.of(trained, x[:60], y[:60]).logits(x[:2]).shape
        (2, 3)
    """

    trained: Trained  # whose learner is for these rows
    weights: Weights  # with those that adaptation moved, and statistics of the norms
    state: Any  # what `Learner.adapt` gave
    rows: NDArray[np.float64] | None  # (n, p) of a table, by which others are standardised

    @classmethod
    def of(
        cls,
        trained: Trained,
        x: NDArray[Any],  # (n, p)
        codes: NDArray[np.intp],  # (n,) 0..c-1
        options: Mapping[str, Any] | None = None,
        *,
        head: bool = True,
    ) -> Applied:
        """Adapts to rows, with some of the learner's options changed; without its `head` to be asked for features."""
        alone = {"refine": 0} if hasattr(trained.learner, "refine") else {}  # no query helps another
        learner: Any = replace(trained.learner, **alone, **(options or {}))  # type: ignore[type-var]
        if trained.any_way:
            learner = with_outputs(learner, int(codes.max()) + 1)
        problem: EpisodeSpec = learner.problem
        if embeds(trained) and x.shape[1] != np.prod(problem.shape):  # embedded already
            spec = EmbeddedSpec(problem.kind, (x.shape[1],), problem.outputs, problem.known_classes)
            learner = replace(learner, problem=spec)
        applied = replace(trained, learner=learner)
        made = cls(applied, trained.weights, None, x.astype(np.float64) if trained.tabular else None)
        support = made.examples(x)._replace(y=torch.from_numpy(codes.astype(np.int64)).to(trained.device))
        adapts = isinstance(learner, AdaptedNetwork)
        if not adapts and not head:
            return made
        with torch.no_grad():
            state = learner.adapt(trained.weights, support)
            if not adapts:
                return replace(made, state=state)
            weights = with_statistics(learner.network, {**trained.weights, **state}, support)
        return replace(made, weights=weights)

    def logits(self, x: NDArray[Any]) -> NDArray[np.float64]:  # (q, p) -> (q, o)
        """What it makes of rows, each by itself."""
        return self._in_parts(x, self._logits)

    def _logits(self, query: Examples) -> Tensor:
        learner: Any = self.trained.learner
        if isinstance(learner, AdaptedNetwork):
            return linear_head(self.weights, self._embedded(query))
        return learner.predict(self.weights, self.state, query)

    def features(self, x: NDArray[Any]) -> NDArray[np.float64]:  # (q, p) -> (q, w)
        """What its network makes of rows; without steps of adaptation (`test_steps` 0) as it was trained."""
        return self._in_parts(x, self._embedded)

    def _embedded(self, query: Examples) -> Tensor:
        return embed(self._network, self.weights, query.x, query.mask, Norms(running=True))

    @property
    def _network(self) -> Any:
        learner: Any = self.trained.learner
        return learner.network

    def examples(self, x: NDArray[Any]) -> Examples:
        """Rows as the learner's examples, without labels."""
        trained = self.trained
        shape = trained.learner.problem.shape
        if self.rows is not None:
            numbers = standardised(self.rows, x.astype(np.float64), shape[0])[1]
        else:
            numbers = np.nan_to_num(x.astype(np.float32)).reshape(len(x), *shape)
            if len(shape) == 3 and trained.pixels:
                numbers = np.clip(numbers, 0, 1)
                numbers = bright_strokes(numbers) if trained.drawings else numbers
        inside = torch.from_numpy(numbers).to(trained.device, trained._type)
        y = torch.zeros(len(x), dtype=torch.int64, device=inside.device)
        return Examples(inside, y, torch.ones(len(x), dtype=inside.dtype, device=inside.device))

    def to(self, device: torch.device | str) -> Applied:
        """The same on another device."""

        def move(part: Any) -> Any:
            return part.to(device) if isinstance(part, Tensor) else part

        trained = replace(self.trained, weights=tree_map(move, self.trained.weights), device=device)
        return replace(self, trained=trained, weights=tree_map(move, self.weights), state=tree_map(move, self.state))

    def _in_parts(self, x: NDArray[Any], answer: Any) -> NDArray[np.float64]:
        step = OPTIONS.answered_at_once
        with torch.no_grad():
            parts = (answer(self.examples(x[start : start + step])) for start in range(0, max(len(x), 1), step))
            return np.concatenate([part.double().cpu().numpy() for part in parts])


def with_statistics(network: Any, weights: Weights, support: Examples) -> Weights:
    """The weights, and what the norms see in the support, as running statistics."""
    norms = Norms(seen={})
    embed(network, weights, support.x, support.mask, norms)
    kept = {name: w for name, w in weights.items() if not name.startswith((f"{RUNNING}square.", "rate.", "rule."))}
    return kept | (norms.seen or {})
