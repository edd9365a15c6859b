"""Meta-training: episodes in, a learner's weights out; one loop for every learner.

    draw episodes -> meta-gradient (a back end) -> a step of the optimiser -> now and then: validate, remember, save

The state between two steps is a `Checkpoint`, so a training that is stopped and resumed ends where an uninterrupted one
ends, to the last bit: 2N steps equal N and N more of a training whose `steps` are 2N. The learning curve stands beside
it as JSON lines.

On a GPU: TF32 for float32, bf16 for learners that only measure distances, and `torch.compile` where it works.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from autometa.errors import InputError, Problem, RunError
from autometa.fewshot import backends
from autometa.fewshot.checkpoint import FILE, Checkpoint, options_of
from autometa.fewshot.data.source import Data
from autometa.fewshot.episode import Episode, score
from autometa.fewshot.evaluation import evaluate
from autometa.fewshot.learner import Learner, Training
from autometa.fewshot.learners import name_of
from autometa.fewshot.networks import RUNNING, Weights
from autometa.fewshot.optimiser import Optimiser
from autometa.fewshot.samplers import Domain, TaskSampler, Uniform
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

MOMENTUM = 0.1  # of the running statistics
CURVE = "curve.jsonl"
SAVE_SECONDS = 60.0  # what a kill may cost
TellProgress = Callable[[int, int, str], None]  # steps done, of how many, what happened


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long to train, on what episodes, and when to stop."""

    steps: int
    way: int = 5
    shot: int = 1
    query: int = 15  # per class when judged
    seed: int = 0
    look_every: int = 500  # steps between validations
    look_episodes: int = 100
    patience: int = 20  # looks without improvement before it stops
    seconds: float | None = None  # of this call; what is left can be resumed
    backend: str = "auto"
    compile: bool = False  # on a GPU


def check(data: Data, settings: TrainingSettings, training: Training) -> list[Problem]:
    """Why episodes of that kind cannot be drawn from the data."""
    wrong = []
    way = training.way or settings.way
    wanted = {
        "train": (way, (training.shot or settings.shot) + training.query),
        "validation": (settings.way, settings.shot + settings.query),
    }
    for split, (ways, examples) in wanted.items():
        found = getattr(data, split).check(ways, examples)
        wrong += [Problem(f"{data.name} ({split}), {problem.where}", problem.what, problem.fix) for problem in found]
    return wrong


def train(
    learner: Learner,
    data: Data,
    settings: TrainingSettings,
    *,
    out: Path | None = None,
    resume: bool = False,
    sampler: TaskSampler | None = None,
    training: Training | None = None,
    device: torch.device | str = "cpu",
    origin: dict[str, Any] | None = None,
    until: int | None = None,
    tell: TellProgress = lambda done, total, text: None,
) -> Checkpoint:
    """Trains until `settings.steps`, or until validation no longer improves, or until the time is over.

    Args:
        learner: What to train.
        data: Its train and validation splits are used.
        settings: How long, on what.
        out: Folder for checkpoint and learning curve; None keeps nothing.
        resume: Go on from the checkpoint in `out`.
        sampler: Which tasks to learn from; by default all as likely (within a domain if that is the data's protocol).
        training: Instead of the learner's own.
        device: Where to calculate.
        origin: What to write into the checkpoint about where the data came from.
        until: Stop this call after that step, as if the time were over.
        tell: Progress.

    Raises:
        InputError: The data are too few for such episodes.
        RunError: `out` has a checkpoint and `resume` is not set, or has none to resume, or one of another learner.
    """
    training = training or learner.training
    sampler = sampler or (Domain() if data.within_domain else Uniform())
    wrong = check(data, settings, training)
    if wrong:
        raise InputError(wrong)
    clock, begun = _Clock(), time.monotonic()
    state = _begin(learner, data, settings, training, out, resume, torch.device(device), origin)
    optimiser, progress, rng = Optimiser(training, settings.steps), state.progress, np.random.default_rng()
    rng.bit_generator.state = state.random["tasks"]
    source, validation = data.train.to(device), data.validation.to(device)

    def draw() -> tuple[Episode, str]:
        way = training.way or settings.way
        shot = training.shot or settings.shot
        if training.fewer_shots and shot > 1:
            shot = int(rng.integers(1, shot + 1))
        chosen = sampler.choose(source, rng, training.tasks, way, state.step / settings.steps)
        return source.episode(rng, chosen, shot, training.query), chosen.why

    def keep(line: dict[str, Any] | None = None) -> None:
        progress["seconds"] += clock.lap()
        state.random["tasks"] = rng.bit_generator.state
        if out is not None:
            state.save(out / FILE)
            if line is not None:
                with (out / CURVE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, "seconds": round(progress["seconds"], 1)}) + "\n")

    if progress["backend"] == "auto":
        with _precision(learner, device):
            progress["backend"], took = backends.tune(learner, state.weights, draw()[0])
        rng.bit_generator.state = state.random["tasks"]
        tell(state.step, settings.steps, f"back end {progress['backend']}, {took[progress['backend']]:.3f} s a step")
    gradient, saved = _compiled(settings, device), time.monotonic()
    while state.step < settings.steps and not progress["stopped"]:
        if until is not None and state.step >= until:
            break
        if settings.seconds is not None and time.monotonic() - begun > settings.seconds:
            break
        episode, why = draw()
        with _precision(learner, device):
            loss, gradients, outcome = gradient(learner, state.weights, episode, progress["backend"])
        optimiser.move(state.weights, gradients, state.optimiser, state.step)
        for name, seen in outcome.statistics.items():
            state.weights[name].lerp_(seen.mean(0).to(state.weights[name]), MOMENTUM)
        state.step += 1
        progress["loss"] += float(loss)
        progress["score"] += float(score(learner.problem, outcome.outputs, episode.query).mean())
        progress["since"] += 1
        if state.step % settings.look_every == 0 or state.step == settings.steps:
            found = evaluate(
                learner, state.weights, validation, episodes=settings.look_episodes, way=settings.way,
                shot=settings.shot, query=settings.query, seed=settings.seed + 1, together=training.tasks,
                backend=progress["backend"], sampler=Domain() if data.within_domain else None,
            )  # fmt: skip
            if not np.isfinite(progress["loss"]):
                raise RunError(
                    f"training diverged before step {state.step}: the loss is not finite. Lower the rate "
                    "(--set rate=..., or --learning-rate)."
                )
            if progress["best"] is None or found.mean > progress["best"]:
                progress |= {"best": found.mean, "best_step": state.step, "stale": 0}
                state.best = _copy(state.weights)
            else:
                progress["stale"] += 1
            progress["stopped"] = progress["stale"] >= settings.patience
            line = {
                "step": state.step, "loss": progress["loss"] / progress["since"],
                "score": progress["score"] / progress["since"], "validation": found.mean, "interval": found.interval,
                "rate": optimiser.rate(state.step - 1), "chose": why,
            }  # fmt: skip
            progress |= {"loss": 0.0, "score": 0.0, "since": 0}
            keep(line)
            saved = time.monotonic()
            tell(state.step, settings.steps, f"validation {found.mean:.4f} ± {found.interval:.4f}")
        elif time.monotonic() - saved > SAVE_SECONDS:
            keep()
            saved = time.monotonic()
    if progress["best"] is None:
        state.best = _copy(state.weights)  # nothing better is known yet
    keep()
    return state


def _begin(
    learner: Learner,
    data: Data,
    settings: TrainingSettings,
    training: Training,
    out: Path | None,
    resume: bool,
    device: torch.device,
    origin: dict[str, Any] | None,
) -> Checkpoint:
    """A fresh state, or the one to go on from."""
    name = name_of(learner)
    exists = out is not None and (out / FILE).exists()
    if resume:
        if out is None:
            raise InputError("There is nothing to resume without a folder.")
        state = Checkpoint.load(out, device=device, learner=name)
        differs = [
            f"{key} was {state.options[key]!r}, is {value!r}"
            for key, value in options_of(learner).items()
            if state.options.get(key) != value
        ]
        differs += [] if state.problem == learner.problem else [f"problem was {state.problem}, is {learner.problem}"]
        if differs:
            raise RunError(f"{out}: cannot go on with another learner: {'; '.join(differs)}.")
        state.settings = asdict(settings) | {"training": asdict(training)}
        state.progress["stopped"] = False
        return state
    if exists:
        raise RunError(f"{out}: already has a checkpoint. Go on with --resume, or choose another folder.")
    seeds = np.random.SeedSequence(settings.seed).spawn(2)
    first = torch.Generator().manual_seed(int(seeds[0].generate_state(1)[0]))  # on the processor: devices start alike
    weights = {key: w.to(device) for key, w in learner.initialise(first).items()}
    return Checkpoint(
        learner=name,
        options=options_of(learner),
        problem=learner.problem,
        weights=weights,
        best=_copy(weights),
        optimiser=Optimiser(training, settings.steps).initialise(
            {key: w for key, w in weights.items() if not key.startswith(RUNNING)}
        ),
        settings=asdict(settings) | {"training": asdict(training)},
        data=origin or {"name": data.name},
        random={"tasks": np.random.default_rng(seeds[1]).bit_generator.state},
        progress={
            "best": None, "best_step": 0, "stale": 0, "stopped": False, "seconds": 0.0, "loss": 0.0, "score": 0.0,
            "since": 0, "backend": settings.backend,
        },
    )  # fmt: skip


def _copy(weights: Weights) -> Weights:
    return {name: w.clone() for name, w in weights.items()}


class _Clock:
    """Seconds since it was last asked."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def lap(self) -> float:
        now = time.monotonic()
        self._last, passed = now, now - self._last
        return passed


@contextlib.contextmanager
def _precision(learner: Learner, device: torch.device | str) -> Iterator[None]:
    """On a GPU, TF32; and bf16 where only distances are measured (an inner loop in bf16 does not find its way)."""
    if torch.device(device).type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    low = hasattr(learner, "attention") and torch.cuda.is_bf16_supported()
    try:
        with torch.autocast("cuda", torch.bfloat16, enabled=low):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _compiled(settings: TrainingSettings, device: torch.device | str) -> Callable[..., Any]:
    """The meta-gradient, compiled on a GPU if asked for; as it is from the first time that compiling fails."""
    if not settings.compile or torch.device(device).type != "cuda":
        return backends.meta_gradient
    fast: Callable[..., Any] | None = torch.compile(backends.meta_gradient)

    def either(*given: Any) -> Any:
        nonlocal fast
        if fast is not None:
            try:
                return fast(*given)
            except (RuntimeError, torch._dynamo.exc.TorchDynamoException):
                fast = None
        return backends.meta_gradient(*given)

    return either
