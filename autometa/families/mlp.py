"""A neural network for tables: a small ensemble of perceptrons that share their weights.

The whole network is in plain sight below: `initialise`, `forward`, `fit`, `predict`; weights are a dictionary of
tensors. Numbers enter as they are and as a few learned waves of themselves; categories by learned vectors. `members`
networks differ only in a scaling of their inputs and in their output layers (TabM-mini), are trained on one batch
each step, and are averaged. Training is a fixed number of steps, bounded by the work they take and not by a clock, so
that a seed gives the same network on a slow machine; the step that was best on an inner split is kept. Where there is a
time limit, a few steps are timed first, and the number of epochs is then what fits, with the whole schedule in them.

Everything of torch stays in this file; the scikit-learn face is in `estimators`.

Letters:  n rows · b rows of a batch · p numbers · q categories · e entries of a category's vector · w width · m members
· o outputs.

Sources:
    TabM (Gorishniy et al., 2024) for the ensemble; RealMLP (Holzmüller et al., 2024) for smooth clipping, the waves
    (PBLD) and the schedule; periodic embeddings are from Gorishniy et al. (2022).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.families.family import Family, Kind
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from torch import Generator, Size, Tensor

    from autometa.task import Columns

WAVES = 16  # frequencies per number
MIXED = 3  # numbers into which the waves of one number are mixed; the number itself is the fourth
MOST_WAVED = 128  # numbers; above it the waves would cost more than the network
EPOCHS = (2, 60)  # at least and at most; the most is the default
STEPS = 20  # at least
EVALUATIONS = (10, 40)  # looks at the inner split during training: two per epoch within these bounds
PATIENCE = 12  # looks without improvement
BETAS = (0.9, 0.95)  # of Adam; RealMLP's
WORK = 1.0e12  # floating-point operations of one fit; about 30 s on one core
TIMED = 4  # steps that are timed where there is a time limit
MARGIN = 0.9  # of the time, that training is planned to take


def space(kind: Kind) -> SearchSpace:
    """The default is ours: no library has one for this network."""
    parameters = {
        "members": integer(1, 16, 8, log=True),
        "width": integer(32, 512, 128, log=True),
        "depth": integer(1, 4, 3),
        "dropout": real(0.0, 0.5, 0.1),
        "learning_rate": real(3e-4, 3e-2, 5e-3, log=True),
        "weight_decay": real(1e-5, 1.0, 1e-2, log=True),
        "scale": choice("robust", "quantile"),
        "embedding": choice("periodic", "none"),
        "epochs": integer(*EPOCHS, EPOCHS[1], log=True),
    }
    if kind != "regression":
        parameters["label_smoothing"] = real(0.0, 0.2, 0.0)
    frequency = Parameter("frequency", *real(0.02, 2.0, 0.3, log=True), Condition("embedding", ("periodic",)))
    return SearchSpace([*SearchSpace.of(**parameters), frequency])


def build(
    config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
) -> Pipeline:
    """Numbers scaled and bent, categories as codes for their vectors."""
    from sklearn.pipeline import Pipeline

    from autometa.families.estimators import NetworkClassifier, NetworkRegressor
    from autometa.families.preprocess import preprocessing

    own = space(kind).complete(config)  # one of before `epochs` was in the space has all of them
    face = NetworkRegressor if kind == "regression" else NetworkClassifier
    model = face(own, categorical=len(columns.categorical), seed=seed, threads=threads, device=device)
    steps = preprocessing(columns, kind, categories="codes", scale=config["scale"], seed=seed)
    return Pipeline([("preprocessing", steps), ("model", model)])


class Inputs(NamedTuple):
    """The rows of a table, or of a batch."""

    numbers: Tensor  # (n, p) float32
    codes: Tensor  # (n, q) int64, rows of the table of category vectors


def initialise(config: Config, p: int, q: int, n_vectors: int, outputs: int, generator: Generator) -> dict[str, Tensor]:
    """Fresh weights. `n_vectors` is how many categories all columns have together, missing ones included."""
    import torch

    def normal(*shape: int, spread: float) -> Tensor:
        return torch.randn(shape, generator=generator) * spread

    m, w = config["members"], config["width"]
    weights: dict[str, Tensor] = {}
    entering = p
    if config["embedding"] == "periodic" and 0 < p <= MOST_WAVED:
        weights["frequencies"] = normal(p, WAVES, spread=2 * math.pi * config["frequency"])
        weights["phases"] = (torch.rand((p, WAVES), generator=generator) - 0.5) * 2 * math.pi
        weights["mixing"] = normal(p, WAVES, MIXED, spread=1 / math.sqrt(WAVES))
        weights["mixing_bias"] = torch.zeros(p, MIXED)
        entering = p * (1 + MIXED)
    if q:
        e = int(np.clip(512 // q, 2, 8))
        weights["vectors"] = normal(n_vectors, e, spread=0.5)
        entering += q * e
    members = torch.randn((m, entering), generator=generator)
    weights["members"] = members.sign() if m > 1 else torch.ones(1, entering)
    for layer in range(config["depth"]):
        inputs = entering if layer == 0 else w
        weights[f"hidden_{layer}"] = normal(inputs, w, spread=math.sqrt(2 / inputs))
        weights[f"hidden_{layer}_bias"] = torch.zeros(w)
    weights["output"] = normal(m, w, outputs, spread=math.sqrt(1 / w))
    weights["output_bias"] = torch.zeros(m, 1, outputs)
    return weights


def forward(
    weights: dict[str, Tensor], inputs: Inputs, *, dropout: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """What every member says of every row: (m, b, o)."""
    import torch
    from torch.nn.functional import embedding, relu

    numbers, codes = inputs
    parts = [numbers]  # (b, p)
    if "frequencies" in weights:
        angles = torch.addcmul(weights["phases"], numbers[:, :, None], weights["frequencies"])
        waves = torch.cos(angles)  # (b, p, WAVES)
        mixed = torch.bmm(waves.transpose(0, 1), weights["mixing"]).transpose(0, 1) + weights["mixing_bias"]
        parts.append(mixed.flatten(1))  # (b, p * MIXED)
    if "vectors" in weights:
        parts.append(embedding(codes, weights["vectors"]).flatten(1))  # (b, q * e)
    x = torch.cat(parts, dim=1) * weights["members"][:, None, :]  # (m, b, entering)
    layer = 0
    while f"hidden_{layer}" in weights:
        x = relu(x @ weights[f"hidden_{layer}"] + weights[f"hidden_{layer}_bias"])  # (m, b, w)
        if dropout:
            # One draw (b, w) for all members: drawing took a third of a step.
            keep = torch.empty_like(x[0]).bernoulli_(1 - dropout, generator=generator)
            x = x * (keep / (1 - dropout))
        layer += 1
    return torch.baddbmm(weights["output_bias"], x, weights["output"])  # (m, b, o)


def fit(
    numbers: NDArray[np.float32],  # (n, p)
    codes: NDArray[np.int64],  # (n, q)
    target: NDArray[Any],  # (n,) class codes 0..o-1, or standardised float values
    train: NDArray[np.intp],
    held: NDArray[np.intp],
    config: Config,
    *,
    n_vectors: int,
    outputs: int,  # classes; 1 for regression
    seed: int,
    threads: int,
    device: str,
    seconds: float | None,
) -> tuple[dict[str, NDArray[Any]], int | None]:
    """The weights that were best on the held-out rows, after at most the epochs of `config` and `WORK`.

    With them comes the number of epochs to which training was cut to fit into `seconds`, None if it was not.

    Raises:
        TimeoutError: There is not even time for the fewest epochs of the space.
    """
    import torch
    from torch.nn.functional import cross_entropy, mse_loss

    began, before = time.monotonic(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        first = torch.Generator().manual_seed(seed)  # on the processor, so that devices start alike
        generator = torch.Generator(device).manual_seed(seed)
        weights = initialise(config, numbers.shape[1], codes.shape[1], n_vectors, outputs, first)
        shapes = {name: weight.shape for name, weight in weights.items()}
        flat = torch.cat([weight.flatten() for weight in weights.values()]).to(device).requires_grad_()  # every weight
        inputs = Inputs(torch.from_numpy(numbers).to(device), torch.from_numpy(codes).to(device))
        truth = torch.from_numpy(target if outputs > 1 else target.astype(np.float32)).to(device)
        rows, held_rows = torch.from_numpy(train).to(device), torch.from_numpy(held).to(device)
        batch = int(np.clip(2 ** round(math.log2(max(len(train), 2) / 24)), 16, 512))

        def gradient(chosen: Tensor, generator: Generator) -> Tensor:
            answers = forward(
                _named(flat, shapes), _rows(inputs, chosen), dropout=config["dropout"], generator=generator
            )
            if outputs > 1:
                repeated = truth[chosen].repeat(config["members"])
                loss = cross_entropy(answers.flatten(0, 1), repeated, label_smoothing=config["label_smoothing"])
            else:
                loss = mse_loss(answers[:, :, 0], truth[chosen].expand(config["members"], -1))
            return torch.autograd.grad(loss, flat)[0]

        def held_out() -> float:
            mean = _average(_named(flat.detach(), shapes), _rows(inputs, held_rows), outputs)
            if outputs > 1:
                return -mean.clamp_min(1e-7).log().gather(1, truth[held_rows][:, None]).mean().item()
            return mse_loss(mean[:, 0], truth[held_rows]).item()

        plan = _Plan(config["epochs"], math.ceil(len(train) / batch), int(WORK / (batch * _operations(weights))))
        cut = None
        if seconds is not None:
            trial = torch.Generator(device).manual_seed(seed)
            step_seconds = _seconds_of(lambda: gradient(rows[:batch], trial), TIMED)
            look_seconds = _seconds_of(held_out, 1)
            left = MARGIN * (seconds - (time.monotonic() - began))
            plan, cut = plan.within(left, step_seconds, look_seconds)
        steps, look = plan.steps, max(1, plan.steps // plan.looks)

        matrices = [name.startswith(("hidden", "output")) and not name.endswith("bias") for name in shapes]
        sizes = torch.tensor([shape.numel() for shape in shapes.values()])
        decay = config["weight_decay"] * torch.tensor(matrices).repeat_interleave(sizes).float().to(device)  # of each
        slope, square = torch.zeros_like(flat), torch.zeros_like(flat)  # Adam's running means
        best, best_loss, stale, order = flat.detach().clone(), math.inf, 0, rows[:0]
        for step in range(steps):
            if len(order) < min(batch, len(rows)):
                order = rows[torch.randperm(len(rows), generator=generator, device=device)]
            chosen, order = order[:batch], order[batch:]
            grad = gradient(chosen, generator)
            with torch.no_grad():  # AdamW in full: the first use of an optimiser of torch's costs seconds of imports
                slope.lerp_(grad, 1 - BETAS[0])
                square.lerp_(grad.square_(), 1 - BETAS[1])
                rate = config["learning_rate"] * _schedule(step / steps)
                flat.addcmul_(flat, decay, value=-rate)
                spread = (square / (1 - BETAS[1] ** (step + 1))).sqrt_().add_(1e-8)
                flat.addcdiv_(slope, spread, value=-rate / (1 - BETAS[0] ** (step + 1)))
            if (step + 1) % look == 0 or step + 1 == steps:
                held_loss = held_out()
                if held_loss < best_loss:
                    best, best_loss, stale = flat.detach().clone(), held_loss, 0
                else:
                    stale += 1
                late = seconds is not None and time.monotonic() - began > seconds
                if stale >= PATIENCE or late:
                    break
        return {name: weight.numpy() for name, weight in _named(best.cpu(), shapes).items()}, cut
    finally:
        torch.set_num_threads(before)


class _Plan(NamedTuple):
    """How long to train."""

    epochs: int
    per_epoch: int  # steps
    most: int  # steps, by the bound on work

    @property
    def steps(self) -> int:
        return max(STEPS, min(self.epochs * self.per_epoch, self.most))

    @property
    def looks(self) -> int:
        return int(np.clip(2 * self.steps // self.per_epoch, *EVALUATIONS))

    def within(self, seconds: float, step_seconds: float, look_seconds: float) -> tuple[_Plan, int | None]:
        """The plan, or one with as many epochs as there is time for, and their number."""

        def fits(plan: _Plan) -> bool:
            return plan.steps * step_seconds + plan.looks * look_seconds <= seconds

        if fits(self):
            return self, None
        for epochs in range(self.epochs - 1, EPOCHS[0] - 1, -1):
            if fits(shorter := self._replace(epochs=epochs)):
                return shorter, epochs
        raise TimeoutError(f"{seconds:.3g} s are too short for {EPOCHS[0]} epochs")


def _seconds_of(work: Callable[[], Any], times: int) -> float:
    """On average, after a first time that does not count."""
    work()
    began = time.monotonic()
    for _ in range(times):
        work()
    return (time.monotonic() - began) / times


def predict(
    weights: dict[str, NDArray[Any]],
    numbers: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    outputs: int,
    threads: int,
) -> NDArray[np.float64]:  # (n, o)
    """Mean over members: of probabilities for several outputs, of values for one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
        mean = _average(tensors, Inputs(torch.from_numpy(numbers), torch.from_numpy(codes)), outputs)
        return mean.double().numpy()
    finally:
        torch.set_num_threads(before)


def _average(weights: dict[str, Tensor], inputs: Inputs, outputs: int) -> Tensor:  # (n, o)
    import torch

    with torch.no_grad():
        chunks = []
        for start in range(0, len(inputs.numbers), 2048):
            answers = forward(weights, Inputs(*(part[start : start + 2048] for part in inputs)))  # (m, chunk, o)
            chunks.append((answers.softmax(dim=2) if outputs > 1 else answers).mean(dim=0))
        return torch.cat(chunks)


def _named(flat: Tensor, shapes: dict[str, Size]) -> dict[str, Tensor]:
    """Views into the one vector that holds every weight."""
    parts = flat.split([shape.numel() for shape in shapes.values()])
    return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _rows(inputs: Inputs, chosen: Tensor) -> Inputs:
    return Inputs(inputs.numbers[chosen], inputs.codes[chosen])


def _operations(weights: dict[str, Tensor]) -> int:
    """Floating-point operations of one training step per row: forward, and twice as much backward."""
    members = len(weights["members"])
    per_member = sum(w.numel() for name, w in weights.items() if name.startswith("hidden"))
    shared = sum(10 * weights[name].numel() for name in ("frequencies", "mixing") if name in weights)
    return 6 * (members * (per_member + weights["members"][0].numel()) + weights["output"].numel() + shared)


def _schedule(progress: float) -> float:
    """A short warm-up, then a cosine down to a hundredth."""
    return min(1.0, 0.02 + progress / 0.05) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


FAMILY = Family("mlp", "Neural network", space, build, requires="torch")
