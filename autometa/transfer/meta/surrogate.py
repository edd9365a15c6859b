"""The meta-learned surrogate as it is asked, saved and loaded: NumPy only.

Letters:  m evaluations · q points · d encoded dimensions · k features.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from autometa.errors import InputError, Problem
from autometa.files import whole
from autometa.space import SearchSpace
from autometa.transfer.experts import Expert, WarpedHistory, chance_of_failure, expected_log_seconds
from autometa.transfer.kernels import Layout, squares
from autometa.transfer.meta.network import Heads, forward, kernel, lengths
from autometa.transfer.observation import History

SURROGATE_VERSION = 1
SURROGATE_FORMAT = "autometa surrogate"


class Posterior(NamedTuple):
    """What is expected at q points.

    See Also:
        `Surrogate`.

    Example:
        >>> q = np.zeros(2)
        >>> Posterior(mean=q, std=q + 1, log_seconds=None, failure=q).std
        array([1., 1.])
    """

    mean: NDArray[np.float64]  # (q,) warped score: 1 is the best seen so far, larger is better
    std: NDArray[np.float64]  # (q,)
    log_seconds: NDArray[np.float64] | None  # (q,) None where costs are not known
    failure: NDArray[np.float64]  # (q,) probability


class TrainedNetwork:
    """One trained network and its kernel; as `experts.Process`."""

    def __init__(self, layout: Layout, weights: dict[str, NDArray[np.float64]], label: str = "warped") -> None:
        """`label` says on which scale of the past scores it was trained."""
        self.layout, self.weights, self.label = layout, weights, label
        self.noise = float(np.exp(weights["log_noise"]))
        self.shares = self.priors = self
        self._lengths = lengths(weights, layout.conditional)

    def heads(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Heads:
        """What the network predicts of points, (q, d) each."""
        return forward(self.weights, self.layout.inputs(x, mask))

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[Heads, NDArray, NDArray]:
        """What the network predicts of points, their places in length scales, (q, d + c), and families, (q,)."""
        return self.heads(x, mask), self.layout.places(x, mask) / self._lengths, self.layout.family(x)

    def means(self, seen: tuple, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The one learned mean, (q, 1)."""
        return seen[0].mean[:, None]

    def apart(self, a: tuple, b: tuple) -> NDArray[np.float64]:
        """The covariance: learned features, and the Matérn residual within each family, (p, q)."""
        same = (a[2][:, None] == b[2][None, :]).astype(float)
        return kernel(self.weights, (a[0].features, b[0].features), squares(a[1], b[1]), same)

    def covariance(self, apart: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `apart` gives is the covariance already, (p, q)."""
        return apart

    def variance(self, seen: tuple) -> NDArray[np.float64]:
        """What `covariance` is at distance zero, (q,)."""
        residual = float(np.exp(self.weights["log_rest"]) + np.exp(self.weights["log_level"]))
        return (seen[0].features ** 2).sum(axis=1) + residual


@dataclass(frozen=True, eq=False)
class Surrogate:
    """What was meta-learned from past tasks about the configurations of one space.

    The fields are what a file holds. `train` makes one, `Surrogate.load` reads one.

    See Also:
        `train`, `Guard`.

    Example:
        >>> from importlib.resources import files
        >>> surrogate = Surrogate.load(files("autometa") / "meta_db" / "surrogate-binary.npz")
        >>> default = surrogate.space.defaults()[0]
        >>> history = History.of(surrogate.space, [default], [0.8])
        >>> surrogate.posterior(history, *surrogate.space.encode_all([default])).mean.shape
        (1,)
    """

    space: SearchSpace
    weights: tuple[dict[str, NDArray[np.float64]], ...]  # of each member network
    labels: tuple[str, ...]  # the scale of past scores that each was trained on
    log_seconds: float | None = None  # mean log seconds of a past evaluation; None if unknown
    card: dict[str, Any] = field(default_factory=dict)  # the model card: on what it was trained, and how well it did

    @cached_property
    def layout(self) -> Layout:
        """How the encoded dimensions of the space belong together."""
        return Layout(self.space)

    @cached_property
    def members(self) -> tuple[TrainedNetwork, ...]:
        """The trained networks, each an `experts.Process`."""
        return tuple(TrainedNetwork(self.layout, w, label) for w, label in zip(self.weights, self.labels, strict=True))

    @cached_property
    def expert(self) -> Expert:
        """All networks together, of which one is right."""
        return Expert("transfer", self.members)

    def posterior(self, history: History, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Posterior:
        """Mean and spread of the next warped score at encoded configurations, cost and chance of failure.

        The order of the history does not matter, nor the unit of its scores: 1 is the best seen so far, 0 the median.
        """
        mean, std = self.expert.adapt(WarpedHistory(history)).predict(x, mask, noisy=True).moments()
        return Posterior(mean, std, self.cost(history, x, mask), self.failure(history, x, mask))

    def log_evidence(self, history: History) -> float:
        """The log probability of the finished results: the sum of the one-step-ahead ones, the same in any order."""
        return self.expert.adapt(WarpedHistory(history)).log_evidence

    def cost(self, history: History, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        """Expected log seconds, (q,): learned, and corrected by what evaluations took here; None where unknown."""
        if self.log_seconds is None:
            return None
        level, member = self.log_seconds, self.members[0]

        def expected(at: NDArray[np.float64], active: NDArray[np.bool_]) -> NDArray[np.float64]:
            return level + member.heads(at, active).log_seconds

        return expected_log_seconds(history, self.layout, expected, x, mask)

    def failure(self, history: History, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Probability, (q,), that an evaluation fails."""
        if not self.card.get("failures"):  # none was seen in training
            return chance_of_failure(self.layout, history, x, mask)
        logit = self.members[0].heads(x, mask).failure
        return chance_of_failure(self.layout, history, x, mask, 1.0 / (1.0 + np.exp(-np.clip(logit, -30, 30))))

    def restricted(self, space: SearchSpace) -> Surrogate:
        """This surrogate for a space that lacks some of the choices and their parameters; its answers stay the same.

        Raises:
            InputError: If `space` has a parameter that this one's lacks, or one with another distribution.
        """
        kept, gone = _dimensions(self.space, space)
        # Behind the values stand the indicators of the conditional dimensions, in the same order in both spaces.
        position = {int(dimension): self.space.d + k for k, dimension in enumerate(self.layout.conditional)}
        indicators = [position[int(kept[dimension])] for dimension in Layout(space).conditional]
        weights = []
        for full in self.weights:
            w = dict(full)
            # A choice that was not taken has the value zero: what it adds to the first layer is a constant from now on.
            w["embed_bias"] = w["embed_bias"] - 0.5 * w["embed"][gone].sum(axis=0)
            w["embed"] = w["embed"][[*kept, *indicators]]
            w["log_lengths"] = w["log_lengths"][kept]
            weights.append(w)
        return Surrogate(space, tuple(weights), self.labels, self.log_seconds, self.card)

    def save(self, path: str | Path) -> None:
        """Writes one ``.npz`` file without pickles: weights, space, version and model card."""
        head = {
            "format": SURROGATE_FORMAT,
            "version": SURROGATE_VERSION,
            "fingerprint": self.space.fingerprint,
            "space": json.loads(self.space.to_json()),
            "labels": list(self.labels),
            "log_seconds": self.log_seconds,
            "card": self.card,
        }
        arrays = {f"{k}.{name}": np.asarray(v, np.float32) for k, w in enumerate(self.weights) for name, v in w.items()}
        with whole(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)

    @classmethod
    def load(cls, path: str | Path | IO[bytes], space: SearchSpace | None = None) -> Surrogate:
        """Reads what `save` wrote, from a file or an open one.

        Raises:
            InputError: If the file is not there, not a surrogate, of another version, or not of `space`.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                head = json.loads(str(file["head"]))
                found = {name: file[name].astype(np.float64) for name in file.files if name != "head"}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(Problem(str(path), "is not a surrogate that can be read", f"({error})")) from error
        if head.get("format") != SURROGATE_FORMAT or head.get("version") != SURROGATE_VERSION:
            found_one = f"is {head.get('format')!r} of version {head.get('version')}"
            what = f"{found_one}, this program reads {SURROGATE_FORMAT!r} {SURROGATE_VERSION}"
            raise InputError(Problem(str(path), what, "Train it again."))
        own = SearchSpace.from_json(json.dumps(head["space"]))
        if space is not None and space != own:
            what = f"was trained for the space {head['fingerprint']}, not for {space.fingerprint}"
            raise InputError(Problem(str(path), what, f"{_difference(own, space)} Train it again for this space."))
        weights: list[dict[str, NDArray[np.float64]]] = [{} for _ in head["labels"]]
        for name, value in found.items():
            k, inner = name.split(".", 1)
            weights[int(k)][inner] = value
        return cls(own, tuple(weights), tuple(head["labels"]), head["log_seconds"], head["card"])


def _dimensions(own: SearchSpace, part: SearchSpace) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the dimensions of `part` are in `own`, and those of the unconditional choices that it lacks."""
    kept: list[int] = []
    gone: list[int] = []
    problems = []
    for p in part:
        if p.name not in own:
            problems.append(Problem(p.name, "is not in the space that the surrogate was trained for"))
            continue
        there, where = own[p.name], own.slices[p.name]
        if isinstance(p.distribution, CategoricalDistribution) and isinstance(
            there.distribution, CategoricalDistribution
        ):
            choices, all_choices = p.distribution.choices, there.distribution.choices
            if set(choices) <= set(all_choices) and (p.when is None or choices == all_choices):
                kept += [where.start + all_choices.index(choice) for choice in choices]
                gone += [where.start + k for k, choice in enumerate(all_choices) if choice not in choices]
                continue
        elif p.distribution == there.distribution:
            kept += range(where.start, where.stop)
            continue
        problems.append(Problem(p.name, f"is {p.distribution}, the surrogate was trained for {there.distribution}"))
    if problems:
        raise InputError(problems)
    return np.array(kept, dtype=np.int64), np.array(gone, dtype=np.int64)


def _difference(own: SearchSpace, space: SearchSpace) -> str:
    there, here = {p.name for p in own}, {p.name for p in space}
    parts: Sequence[tuple[str, set[str]]] = (("New here", here - there), ("Not here", there - here))
    said = [f"{what}: {', '.join(sorted(names)[:5])}." for what, names in parts if names]
    return " ".join(said) or "Ranges or choices differ."
