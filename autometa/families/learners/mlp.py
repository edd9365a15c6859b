"""The training of the neural network for tables (`learners.network`), and the scikit-learn estimators in front of it.

All members are trained on one batch each step. Training is a fixed number of steps, bounded by the work they take and
not by a clock, so that a seed gives the same network on a slow machine; the step that was best on an inner split is
kept. Under a deadline a few steps are timed first, and the number of epochs is then what fits, with the whole schedule
in them.

Letters:  n rows · p numbers · q categories · o outputs.

Source:
    RealMLP (Holzmüller et al., 2024) for the schedule and for Adam's betas
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from autometa.families.learners.adam import adam_step
from autometa.families.learners.faces import ProbabilityClassifier, StandardisedTargetRegressor
from autometa.families.learners.holdout import inner_split
from autometa.families.learners.network import (
    Inputs,
    averaged,
    chosen_rows,
    forward,
    initialise,
    predict,
    step_operations,
    torch_threads,
    unflattened,
)
from autometa.families.learners.truncation import Truncatable
from autometa.families.options import OPTIONS

if TYPE_CHECKING:
    from torch import Generator, Size, Tensor


class NetworkTable(NamedTuple):
    """The rows that a network is trained on."""

    numbers: NDArray[np.float32]  # (n, p)
    codes: NDArray[np.int64]  # (n, q) rows of the table of category vectors
    target: NDArray[Any]  # (n,) class codes 0..o-1, or standardised values
    train: NDArray[np.intp]  # which rows are learned from
    held: NDArray[np.intp]  # which rows choose the step that is kept
    n_vectors: int  # rows of the table of category vectors
    outputs: int  # classes; 1 for values
    counts: NDArray[np.float32] | None = None  # (n,) how much each row counts, 1 on average; None for all the same


def fit(
    table: NetworkTable,
    config: Mapping[str, Any],
    *,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    seconds: float | None = None,
) -> tuple[dict[str, NDArray[Any]], int | None]:
    """The weights that were best on the held-out rows.

    Args:
        table: The rows.
        config: A configuration of the family's space.
        seed: Of the fresh weights, the batches and the dropout.
        threads: CPU threads that torch may take.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        seconds: After which training should end; None for no limit.

    Returns:
        The weights, and the number of epochs to which training was truncated to fit into `seconds`; None if it was not.

    Raises:
        TimeoutError: There is not even time for the fewest epochs of the space.
    """
    import torch

    began = time.monotonic()
    with torch_threads(threads):
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        training = _Training.begin(table, config, seed, device)
        plan, epochs = training.plan(), None
        if seconds is not None:
            trial = torch.Generator(device).manual_seed(seed)
            first = training.rows[: training.batch]
            step_seconds = _seconds_of(lambda: training.gradient(first, trial), OPTIONS.mlp.timed_steps)
            validation_seconds = _seconds_of(training.held_out_loss, 1)
            left = OPTIONS.mlp.share_planned * (seconds - (time.monotonic() - began))
            plan, epochs = plan.within(left, step_seconds, validation_seconds)
        end = math.inf if seconds is None else began + seconds
        best = training.best(plan, torch.Generator(device).manual_seed(seed), end)
        return {name: weight.numpy() for name, weight in unflattened(best.cpu(), training.shapes).items()}, epochs


@dataclass(frozen=True, slots=True)
class _Training:
    """A network in training: its weights, which change in place, and the rows it learns from, all on one device."""

    config: Mapping[str, Any]
    flat: Tensor  # every weight, one after another
    shapes: dict[str, Size]  # of the weights by their names, in the order in which they lie in `flat`
    inputs: Inputs
    truth: Tensor  # (n,) class codes, or standardised float32
    counts: Tensor | None  # (n,) how much each row counts; None for all the same
    rows: Tensor  # to learn from
    held: Tensor  # rows to validate on
    outputs: int
    batch: int  # rows of a step

    @classmethod
    def begin(cls, table: NetworkTable, config: Mapping[str, Any], seed: int, device: str) -> _Training:
        """Fresh weights, drawn on the processor so that all devices start alike."""
        import torch

        p, q = table.numbers.shape[1], table.codes.shape[1]
        first = torch.Generator().manual_seed(seed)
        weights = initialise(config, p, q, table.n_vectors, table.outputs, first)
        target = table.target if table.outputs > 1 else table.target.astype(np.float32)
        return cls(
            config=config,
            flat=torch.cat([weight.flatten() for weight in weights.values()]).to(device).requires_grad_(),
            shapes={name: weight.shape for name, weight in weights.items()},
            inputs=Inputs(torch.from_numpy(table.numbers).to(device), torch.from_numpy(table.codes).to(device)),
            truth=torch.from_numpy(target).to(device),
            counts=None if table.counts is None else torch.from_numpy(table.counts).to(device),
            rows=torch.from_numpy(table.train).to(device),
            held=torch.from_numpy(table.held).to(device),
            outputs=table.outputs,
            batch=int(np.clip(2 ** round(math.log2(max(len(table.train), 2) / 24)), 16, 512)),
        )

    def plan(self) -> _Plan:
        """As many epochs as the configuration says, within the bound on work."""
        step = self.batch * step_operations(self.shapes)
        per_epoch = math.ceil(len(self.rows) / self.batch)
        return _Plan(self.config["epochs"], per_epoch, int(OPTIONS.mlp.most_operations / step))

    def gradient(self, chosen: Tensor, generator: Generator) -> Tensor:
        """Of the mean loss of all members on some rows, by all weights."""
        import torch
        from torch.nn.functional import cross_entropy, mse_loss

        config, weights = self.config, unflattened(self.flat, self.shapes)
        answers = forward(weights, chosen_rows(self.inputs, chosen), dropout=config["dropout"], generator=generator)
        how = "mean" if self.counts is None else "none"
        if self.outputs > 1:
            repeated, smoothing = self.truth[chosen].repeat(config["members"]), config["label_smoothing"]
            loss = cross_entropy(answers.flatten(0, 1), repeated, label_smoothing=smoothing, reduction=how)
        else:
            loss = mse_loss(answers[:, :, 0], self.truth[chosen].expand(config["members"], -1), reduction=how)
        if self.counts is not None:  # 1 on average over the table, so that batches of light rows move little
            loss = (loss.reshape(config["members"], -1) * self.counts[chosen]).mean()
        return torch.autograd.grad(loss, self.flat)[0]

    def held_out_loss(self) -> float:
        """Log loss, or mean squared error, of the members' mean on the held-out rows."""
        from torch.nn.functional import mse_loss

        mean = averaged(unflattened(self.flat.detach(), self.shapes), chosen_rows(self.inputs, self.held), self.outputs)
        if self.outputs > 1:
            losses = -mean.clamp_min(1e-7).log().gather(1, self.truth[self.held][:, None])[:, 0]
        else:
            losses = mse_loss(mean[:, 0], self.truth[self.held], reduction="none")
        return (losses if self.counts is None else losses * self.counts[self.held]).mean().item()

    def decay(self) -> Tensor:
        """The weight decay of every weight: none of biases and of what comes before the hidden layers."""
        import torch

        matrices = [name.startswith(("hidden", "output")) and not name.endswith("bias") for name in self.shapes]
        sizes = torch.tensor([shape.numel() for shape in self.shapes.values()])
        each = torch.tensor(matrices).repeat_interleave(sizes).float().to(self.flat.device)
        return self.config["weight_decay"] * each

    def best(self, plan: _Plan, generator: Generator, end: float) -> Tensor:
        """Trains as planned, or until `end` of the monotonic clock; all weights as they were at the best validation."""
        import torch

        flat, rows, options = self.flat, self.rows, OPTIONS.mlp
        steps, pause = plan.steps, max(1, plan.steps // plan.validations)
        decay, slope, square = self.decay(), torch.zeros_like(flat), torch.zeros_like(flat)
        best, best_loss, stale, order = flat.detach().clone(), math.inf, 0, rows[:0]
        for step in range(steps):
            if len(order) < min(self.batch, len(rows)):
                order = rows[torch.randperm(len(rows), generator=generator, device=flat.device)]
            chosen, order = order[: self.batch], order[self.batch :]
            gradient = self.gradient(chosen, generator)
            with torch.no_grad():
                rate = self.config["learning_rate"] * _schedule(step / steps)
                flat.addcmul_(flat, decay, value=-rate)
                adam_step(flat, gradient, slope, square, step=step, rate=rate, betas=options.betas)
            if (step + 1) % pause == 0 or step + 1 == steps:
                held_loss = self.held_out_loss()
                if held_loss < best_loss:
                    best, best_loss, stale = flat.detach().clone(), held_loss, 0
                else:
                    stale += 1
                if stale >= options.patience or time.monotonic() > end:
                    break
        return best


class _Plan(NamedTuple):
    """How long to train: epochs, and the steps that they are."""

    epochs: int
    per_epoch: int  # steps
    most: int  # steps, by the bound on work

    @property
    def steps(self) -> int:
        return max(OPTIONS.mlp.fewest_steps, min(self.epochs * self.per_epoch, self.most))

    @property
    def validations(self) -> int:
        return int(np.clip(2 * self.steps // self.per_epoch, *OPTIONS.mlp.validations))

    def within(self, seconds: float, step_seconds: float, validation_seconds: float) -> tuple[_Plan, int | None]:
        """The plan, or one with as many epochs as there is time for, and their number."""

        def fits(plan: _Plan) -> bool:
            return plan.steps * step_seconds + plan.validations * validation_seconds <= seconds

        if fits(self):
            return self, None
        fewest = OPTIONS.mlp.fewest_epochs
        for epochs in range(self.epochs - 1, fewest - 1, -1):
            if fits(shorter := self._replace(epochs=epochs)):
                return shorter, epochs
        raise TimeoutError(f"{seconds:.3g} s are too short for {fewest} epochs")


def _seconds_of(work: Callable[[], Any], times: int) -> float:
    """On average, after a first time that does not count."""
    work()
    began = time.monotonic()
    for _ in range(times):
        work()
    return (time.monotonic() - began) / times


def _schedule(progress: float) -> float:
    """A short warm-up, then a cosine down to a hundredth."""
    return min(1.0, 0.02 + progress / 0.05) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


# the estimators -------------------------------------------------------------------------------------------------------


class _Network(Truncatable, BaseEstimator):
    """The face of `fit` and `predict`; holds its weights as NumPy arrays, and pickles without torch."""

    def __init__(
        self, config: dict[str, Any], *, categorical: int, seed: int = 0, threads: int = 1, device: str = "cpu"
    ) -> None:
        self.config = config
        self.categorical = categorical  # the first so many columns hold category codes
        self.seed = seed
        self.threads = threads
        self.device = device

    def _learn(
        self,
        X: NDArray[Any],
        target: NDArray[Any],
        outputs: int,
        seconds: float | None,
        sample_weight: NDArray[Any] | None,
    ) -> None:
        self.n_features_in_ = X.shape[1]
        codes = np.nan_to_num(X[:, : self.categorical], nan=-1.0)
        self.cardinalities_ = codes.max(axis=0, initial=-1.0).astype(np.int64) + 1
        fraction = OPTIONS.mlp.held_out
        train, held = inner_split(target, classification=outputs > 1, fraction=fraction, seed=self.seed)
        self.outputs_ = outputs
        n_vectors = int(np.sum(self.cardinalities_ + 1))
        counts = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float32)
        table = NetworkTable(*self._inputs(X), target, train, held, n_vectors, outputs, counts)
        placed: dict[str, Any] = {"seed": self.seed, "threads": self.threads, "device": self.device}
        self.weights_, self.truncated_at_ = fit(table, self.config, **placed, seconds=seconds)

    def _inputs(self, X: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Numbers, and rows of one table in which each column's first row is for missing and unseen."""
        codes = np.nan_to_num(X[:, : self.categorical], nan=-1.0).astype(np.int64) + 1
        codes = np.where(codes <= self.cardinalities_, codes, 0)
        starts = np.cumsum(self.cardinalities_ + 1) - (self.cardinalities_ + 1)
        return np.ascontiguousarray(X[:, self.categorical :], dtype=np.float32), codes + starts

    def _answer(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return predict(self.weights_, *self._inputs(X), outputs=self.outputs_, threads=self.threads)


class NetworkClassifier(ProbabilityClassifier, _Network):
    """The neural network, for classes."""

    def fit(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        sample_weight: NDArray[Any] | None = None,
        seconds: float | None = None,
    ) -> Self:
        """Fits rows X (n, p), category codes first, and their targets y (n,), each counting as much as it does."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) > 1:
            self._learn(X, codes, len(self.classes_), seconds, sample_weight)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return self._answer(X)


class NetworkRegressor(StandardisedTargetRegressor, _Network):
    """The neural network, for values: on a standardised target, within the range seen in training."""

    def fit(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        *,
        sample_weight: NDArray[Any] | None = None,
        seconds: float | None = None,
    ) -> Self:
        """Fits rows X (n, p), category codes first, and their targets y (n,), each counting as much as it does."""
        self.low_, self.high_ = float(np.min(y)), float(np.max(y))
        self._learn(X, self._standardise(X, y), 1, seconds, sample_weight)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Predicted values, in the target's unit."""
        return np.clip(self._restore(self._answer(X)[:, 0]), self.low_, self.high_)
