"""Meta-training: one episode is one past task; its support adapts the process in closed form, its query is the loss.

The inner loop is the Gaussian process itself. One Cholesky factorisation of a task's results in a random order gives
every one-step-ahead predictive at once: result i is the query of the support 1 .. i-1. Their log probabilities,
weighted towards small supports, are differentiated through the adaptation into the shared weights (model-agnostic
meta-learning with a closed-form inner loop), batched over tasks. A constant of unknown size is added to every task,
because at search time the level is unknown.

Every episode is drawn from a generator seeded by (seed, member, step), and the learning rate does not know how long
training will take: 2 N steps equal N and a resumed N. What is kept is the running mean of the weights where it
predicted the held-out tasks best.

Letters:  t tasks · m configurations · d encoded dimensions · s results of a task in an episode.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.files import whole
from autometa.space import SearchSpace
from autometa.transfer.kernels import Layout
from autometa.transfer.meta.network import forward, initial, kernel, lengths
from autometa.transfer.meta.surrogate import Surrogate
from autometa.transfer.meta.validation import judged
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.scale import LABEL_SCALES, comparable

if TYPE_CHECKING:
    from autometa.store import PastTasks

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Past tasks as arrays."""

    inputs: NDArray[np.float64]  # (m, d + c)
    places: NDArray[np.float64]  # (m, d + c)
    family: NDArray[np.int64]  # (m,)
    labels: NDArray[np.float64]  # (t, m) NaN = unknown
    log_seconds: NDArray[np.float64]  # (t, m) NaN = unknown
    failed: NDArray[np.float64]  # (t, m) 1, 0, or NaN = not tried


def train(
    past: PastTasks,
    space: SearchSpace,
    *,
    steps: int = OPTIONS.steps,
    seconds: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: Path | None = None,
    resume: bool = False,
    validation: float = 0.15,
    labels: tuple[str, ...] = ("ranked",),
    command: str = "",
    tell: Tell | None = None,
    options: TransferOptions = OPTIONS,
) -> Surrogate:
    """Meta-learns a surrogate from past tasks; one member network for every label.

    Args:
        past: Tasks and configurations; those that `space` does not contain are left out.
        space: The space that the surrogate will be asked about.
        steps: Of every member.
        seconds: Ends earlier, each member after its share of this time.
        seed: Of weights, episodes and which tasks are held out.
        device: "cpu", or a device of torch.
        checkpoint: A file that is replaced after every validation on held-out tasks, and on interruption.
        resume: Go on from `checkpoint`, if it is there.
        validation: Share of the tasks (whole data set families) that is held out for validation; 0 for none.
        labels: Scales of the past scores, "ranked" or "warped". On validation tasks, regret at 10 by ranks .0096
            (Oboe), .0088 (rbv2_xgboost) and .0000 (rbv2_rpart), by warped scores .0216, .0109 and .0021, by both in a
            mixture about as by ranks alone.
        command: How this was started, for the model card.
        tell: Called with the progress, a line at a time.
        options: The tuned numbers; the product uses `OPTIONS`.

    Raises:
        InputError: With fewer than four tasks that tell configurations of `space` apart, or a checkpoint of another
            training.

    See Also:
        `Surrogate`, `judged`.

    Example:
        >>> from autometa.space import real
        >>> from autometa.store import PastTasks, TaskRecord
        >>> space = SearchSpace.of(x=real(0.0, 1.0, 0.5))
        >>> records = tuple(TaskRecord(f"{i}", f"task {i}", "binary", "roc_auc", 100, 5, 2) for i in range(4))
        >>> configs = tuple({"x": k / 9} for k in range(10))
        >>> scores = np.array([[1 - (c["x"] - 0.6 - 0.05 * i) ** 2 for c in configs] for i in range(4)])
        >>> past = PastTasks(records, configs, scores, np.ones((4, 10)), np.zeros((4, 0)), (), "1")
        >>> train(past, space, steps=2, validation=0.0).card["tasks"]
        4
    """
    started = time.monotonic()
    layout = Layout(space)
    problems = [Problem("labels", f"{name!r} is not known", f"Known: {', '.join(LABEL_SCALES)}.") for name in labels
                if name not in LABEL_SCALES]  # fmt: skip
    scores, columns, rows = _telling(past, space)
    if len(rows) < options.fewest_tasks:
        what = f"{len(rows)} past tasks tell configurations of this space apart, {options.fewest_tasks} are needed"
        problems.append(Problem("past", what, "Remember more studies first."))
    if problems:
        raise InputError(problems)
    configs = [past.configs[j] for j in columns]
    x, mask = space.encode_all(configs)
    taken = np.asarray(past.seconds, dtype=float).reshape(len(past.records), -1)[np.ix_(rows, columns)]
    log_seconds = np.log(np.where(taken > 0, taken, np.nan))
    failed = np.where(np.isnan(scores), np.nan, np.isneginf(scores).astype(float))
    learn, judge = _split(past, rows, validation, seed)

    members: list[dict[str, NDArray[np.float64]]] = []
    history: list[dict[str, Any]] = []
    for k, label in enumerate(labels):
        data = TrainingData(
            layout.inputs(x, mask),
            layout.places(x, mask),
            layout.family(x),
            comparable(LABEL_SCALES[label](scores)),
            log_seconds,
            failed,
        )
        budget = None if seconds is None else seconds * (k + 1) / len(labels)
        file = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.{label}")
        trained = _NetworkTraining(
            layout, data, learn, judge, label=label, seed=seed, number=k, device=device, options=options
        )
        identity = f"{space.fingerprint} {label} {seed} {len(rows)} {len(columns)} {validation}"
        if resume and file is not None and file.exists():
            trained.restore(file, identity)
        with _saved(trained, file, identity):
            trained.run(steps, budget, started, file, identity, tell)
        members.append(trained.best())
        history.append({"label": label, "steps": trained.step, "held_out_log_predictive": trained.best_score})
    known = log_seconds[np.isfinite(log_seconds)]
    card: dict[str, Any] = {
        "tasks": len(rows),
        "configurations": len(columns),
        "results": int(np.isfinite(scores).sum()),
        "failures": int(np.nansum(failed)),
        "held_out_tasks": len(judge),
        "kinds": sorted({r.kind for r in past.records}),
        "metrics": sorted({r.metric for r in past.records}),
        "members": history,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        "device": device,
        "command": command,
        "python": platform.python_version(),
    }
    surrogate = Surrogate(space, tuple(members), labels, float(known.mean()) if len(known) else None, card)
    if len(judge):
        card["validation"] = judged(surrogate, x, mask, scores[judge], seed=seed)
    return surrogate


def _telling(past: PastTasks, space: SearchSpace) -> tuple[NDArray, NDArray, NDArray]:
    """Scores of the configurations that fit, and of the tasks that tell them apart; their columns and rows."""
    scores = np.asarray(past.scores, dtype=float).reshape(len(past.records), len(past.configs))
    columns = np.array([j for j, config in enumerate(past.configs) if space.contains(config)], dtype=np.int64)
    scores = scores[:, columns]
    rows = np.array([i for i, r in enumerate(scores) if len(set(r[np.isfinite(r)])) > 2], dtype=np.int64)
    return scores[rows], columns, rows


def _split(past: PastTasks, rows: NDArray[np.int64], share: float, seed: int) -> tuple[NDArray, NDArray]:
    """Positions to learn from and to judge by: whole families of data sets on one side."""
    names = np.array([past.records[i].family or str(past.records[i].openml_id or past.records[i].fingerprint)
                      for i in rows])  # fmt: skip
    groups = np.random.default_rng([seed, 7]).permutation(np.unique(names))
    held = np.isin(names, groups[: int(share * len(groups))])
    return np.flatnonzero(~held), np.flatnonzero(held)


class _NetworkTraining:
    """One network in training: its weights, its optimiser, and how far it has got."""

    def __init__(
        self,
        layout: Layout,
        data: TrainingData,
        learn: NDArray,
        judge: NDArray,
        *,
        label: str,
        seed: int,
        number: int,
        device: str,
        options: TransferOptions,
    ) -> None:
        import torch

        self.device, self.label, self.options = torch.device(device), label, options
        self.seed, self.number, self.learn, self.judge = seed, number, learn, judge
        self.step, self.best_score, self.conditional = 0, -np.inf, layout.conditional
        start = initial(layout, np.random.default_rng([seed, number, 1]), options)
        self.weights = {n: torch.tensor(v, dtype=torch.float32, device=self.device, requires_grad=True)
                        for n, v in start.items()}  # fmt: skip
        self.mean = {n: w.detach().clone() for n, w in self.weights.items()}
        self.kept = {n: w.detach().clone() for n, w in self.weights.items()}
        self.optimiser = torch.optim.Adam(list(self.weights.values()), lr=options.rate, betas=(0.9, 0.98))
        self.inputs, self.places, self.labels, self.log_seconds, self.failed = (
            torch.tensor(a, dtype=torch.float32, device=self.device)
            for a in (data.inputs, data.places, data.labels, data.log_seconds, data.failed)
        )
        self.family = torch.tensor(data.family, device=self.device)
        self.known = np.isfinite(data.labels)
        tried = np.argwhere(np.isfinite(data.failed))  # (cells, 2)
        self.tried = tried[np.isin(tried[:, 0], learn)]
        self.any_failed = bool(np.nansum(data.failed))
        self.any_seconds = bool(np.isfinite(data.log_seconds).any())

    def episode(self, tasks: NDArray, rng: np.random.Generator, longest: int) -> tuple[Any, Any, Any]:
        """Task numbers (t,), columns (t, s) in random order, and which of them count (t, s)."""
        import torch

        columns = np.zeros((len(tasks), longest), dtype=np.int64)
        counts = np.zeros((len(tasks), longest), dtype=bool)
        for row, task in enumerate(tasks):
            own = rng.permutation(np.flatnonzero(self.known[task]))[:longest]
            columns[row, : len(own)], counts[row, : len(own)] = own, True
        return tuple(torch.as_tensor(a, device=self.device) for a in (tasks, columns, counts))

    def run(
        self, steps: int, seconds: float | None, started: float, file: Path | None, identity: str, tell: Tell | None
    ) -> None:
        import torch

        options = self.options
        while self.step < steps and (seconds is None or time.monotonic() - started < seconds):
            rng = np.random.default_rng([self.seed, self.number, 2, self.step])
            tasks = rng.choice(self.learn, size=min(options.episode_tasks, len(self.learn)), replace=False)
            for group in self.optimiser.param_groups:
                group["lr"] = options.rate * min(1.0, (self.step + 1) / options.warm_up)
            loss = self.loss(self.weights, self.episode(tasks, rng, options.episode_results), rng)
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(list(self.weights.values()), 5.0)
            self.optimiser.step()
            self.step += 1
            kept = min(options.averaging, self.step / (self.step + 10))
            with torch.no_grad():
                for name, weight in self.weights.items():
                    self.mean[name].lerp_(weight, 1 - kept)
            if self.step % options.validation_steps == 0:
                score = self.validate()
                if score > self.best_score:
                    self.best_score = score
                    self.kept = {n: w.clone() for n, w in self.mean.items()}
                if tell is not None:
                    whose = "held-out tasks" if len(self.judge) else "its own tasks"
                    tell(f"{self.label}, step {self.step}: log predictive {score:.4f} of {whose}")
                if file is not None:
                    self.save(file, identity)

    def validate(self) -> float:
        """Mean log predictive of the held-out tasks (of the tasks learned from, if none are), by the mean weights."""
        import torch

        tasks = self.judge if len(self.judge) else self.learn
        rng = np.random.default_rng([self.seed, self.number, 3])
        with torch.no_grad():
            return -float(self.predictive(self.mean, self.episode(tasks, rng, self.options.episode_results)))

    def predictive(self, weights: dict[str, Any], episode: tuple[Any, Any, Any]) -> Any:
        """Weighted mean of minus the one-step-ahead log predictives."""
        import torch

        tasks, columns, counts = episode
        heads = forward(weights, self.inputs[columns], torch)
        places = self.places[columns] / lengths(weights, self.conditional, torch)  # (t, s, d + c)
        norms = (places**2).sum(-1)
        squared = (norms[:, :, None] + norms[:, None, :] - 2.0 * places @ places.transpose(1, 2)).clamp_min(0.0)
        family = self.family[columns]
        same = (family[:, :, None] == family[:, None, :]).float()
        both = counts[:, :, None] & counts[:, None, :]
        eye = torch.eye(columns.shape[1], device=self.device)
        covariance = kernel(weights, (heads.features, heads.features), squared, same, torch)
        covariance = covariance + self.options.level_variance
        noise = torch.exp(weights["log_noise"].clamp(min=-6.0))
        covariance = torch.where(both, covariance, torch.zeros_like(covariance)) + (noise + 1e-4) * eye
        covariance = covariance + torch.diag_embed(1.0 - counts.float())
        lower = torch.linalg.cholesky(covariance)
        residual = torch.where(counts, self.labels[tasks[:, None], columns] - heads.mean, torch.zeros_like(heads.mean))
        white = torch.linalg.solve_triangular(lower, residual[..., None], upper=False)[..., 0]
        log = -0.5 * white**2 - torch.log(torch.diagonal(lower, dim1=1, dim2=2)) - 0.5 * np.log(2 * np.pi)
        position = torch.arange(columns.shape[1], device=self.device)
        importance = counts.float() / torch.sqrt(position + 2.0)
        return -(importance * log).sum() / importance.sum()

    def loss(self, weights: dict[str, Any], episode: tuple[Any, Any, Any], rng: np.random.Generator) -> Any:
        """Of scores, and where known of seconds and failures."""
        import torch

        tasks, columns, counts = episode
        total = self.predictive(weights, episode)
        total = total + self.options.decay * sum((weights[n] ** 2).sum() for n in ("embed", "first", "second", "heads"))
        if self.any_seconds:
            heads = forward(weights, self.inputs[columns], torch)
            wanted = self.log_seconds[tasks[:, None], columns]
            timed = counts & torch.isfinite(wanted)
            share = timed.float() / timed.sum(1, keepdim=True).clamp_min(1)
            gap = torch.where(timed, wanted - heads.log_seconds, torch.zeros_like(wanted))
            centred = gap - (gap * share).sum(1, keepdim=True)
            level = (heads.log_seconds * share).sum(1)
            total = total + 0.1 * (share * centred**2).sum(1).mean() + 0.01 * (level**2).mean()
        if self.any_failed:
            row, column = self.tried[rng.integers(len(self.tried), size=256)].T
            logit = forward(weights, self.inputs[column], torch).failure
            wanted = self.failed[row, column]
            total = total + 0.1 * torch.nn.functional.binary_cross_entropy_with_logits(logit, wanted)
        return total

    def best(self) -> dict[str, NDArray[np.float64]]:
        """The weights to keep, as NumPy's, the noise as it was used."""
        kept = self.kept if np.isfinite(self.best_score) else self.mean
        out = {n: w.cpu().numpy().astype(np.float64) for n, w in kept.items()}
        out["log_noise"] = np.log(np.exp(np.maximum(out["log_noise"], -6.0)) + 1e-4)
        return out

    def save(self, file: Path, identity: str) -> None:
        """Replaces the checkpoint atomically."""
        import torch

        state = {
            "identity": identity,
            "step": self.step,
            "best_score": self.best_score,
            "weights": {n: w.detach() for n, w in self.weights.items()},
            "mean": self.mean,
            "kept": self.kept,
            "optimiser": self.optimiser.state_dict(),
        }
        with whole(file) as temporary:
            torch.save(state, temporary)

    def restore(self, file: Path, identity: str) -> None:
        """Takes over the state of a checkpoint."""
        import torch

        state = torch.load(file, map_location=self.device, weights_only=True)
        if state["identity"] != identity:
            raise InputError(Problem(str(file), "is the checkpoint of another training", "Name another file."))
        self.step, self.best_score = state["step"], state["best_score"]
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state["weights"][name])
        self.mean, self.kept = dict(state["mean"]), dict(state["kept"])
        self.optimiser.load_state_dict(state["optimiser"])


@contextlib.contextmanager
def _saved(member: _NetworkTraining, file: Path | None, identity: str) -> Iterator[None]:
    """Leaves a checkpoint behind, also when interrupted."""
    try:
        yield
    finally:
        if file is not None:
            member.save(file, identity)
