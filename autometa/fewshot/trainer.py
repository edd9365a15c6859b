"""Meta-training: episodes in, a learner's weights out; one loop for every learner.

    draw a meta-batch of episodes -> its meta-gradient (a back end) -> a step of the optimiser
    every so many steps: a validation step, the best weights remembered, everything saved

The state between two steps is a `Checkpoint`, so a training that is stopped and resumed ends where an uninterrupted one
ends, to the last bit on a CPU: 2N steps equal N and N more of a training whose `steps` are 2N. The learning curve
stands beside it as JSON lines, one for each validation step.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from autometa.errors import InputError, Problem, RunError
from autometa.fewshot import accelerate, augment, backends
from autometa.fewshot.augment import augmented
from autometa.fewshot.checkpoint import FILE, Checkpoint, options_of
from autometa.fewshot.data.source import Data
from autometa.fewshot.episode import Episode, score
from autometa.fewshot.evaluation import TellProgress, evaluate
from autometa.fewshot.learner import Learner, Training
from autometa.fewshot.learners import name_of
from autometa.fewshot.networks import RUNNING, Weights
from autometa.fewshot.optimiser import Optimiser
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.resume import resumed
from autometa.fewshot.samplers import Domain, TaskSampler, Uniform
from autometa.fewshot.settings import TrainingSettings
from autometa.fewshot.suited import offered, suited
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

CURVE = "curve.jsonl"


@dataclass(slots=True)
class TrainingProgress:
    """How far a training has come; the checkpoint keeps it as JSON."""

    best: float | None = None  # mean score of the best validation step; None before the first
    best_step: int = 0
    stale: int = 0  # validation steps since then
    stopped: bool = False  # whether `patience` is over
    seconds: float = 0.0  # of all calls
    loss: float = 0.0  # sum over the steps since the last validation step
    score: float = 0.0  # likewise
    since: int = 0  # how many steps that is
    backend: str = "auto"
    precision: str = "float32"  # of training and validation (`accelerate.precision_of`)


def check(data: Data, settings: TrainingSettings, training: Training, *, within: bool | None = None) -> list[Problem]:
    """Why episodes of that kind cannot be drawn from the data; empty when they can.

    Args:
        data: Its train and validation splits.
        settings: Ways, shots and queries of validation.
        training: Those of training.
        within: Whether every training episode stays within one domain; None for the data's own protocol.
    """
    way = training.way or settings.way
    wrong = augment.check(training.augment, data.train.problem(way))
    wanted = {
        "train": (way, (training.shot or settings.shot) + training.query),
        "validation": (settings.way, settings.shot + settings.query),
    }
    inside = {"train": data.within_domain if within is None else within, "validation": data.within_domain}
    for split, (ways, examples) in wanted.items():
        source = getattr(data, split)
        found = source.check(ways, examples)
        if inside[split] and not found and offered(source, ways, within=True) == 0:
            largest = max(map(source.offered, source.domains))
            what = f"{ways} ways asked, and the largest of {len(source.domains)} domains has {largest} classes"
            found = [Problem("classes", what, "Lower --way, or --train-way.")]
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
    say: Callable[[str], None] = lambda text: None,
) -> Checkpoint:
    """Trains until `settings.steps`, or until validation no longer improves, or until the time is over.

    Args:
        learner: What to train.
        data: Its train and validation splits are used.
        settings: How long, on what.
        out: Folder for checkpoint and learning curve; None keeps nothing.
        resume: Go on from the checkpoint in `out`.
        sampler: Which tasks to learn from; by default all as likely (within a domain if that is the data's protocol).
        training: Instead of the learner's own, which is suited to the data (`suited`).
        device: Where to calculate.
        origin: What to write into the checkpoint about where the data came from.
        until: Stop this call after that step, as if the time were over.
        tell: Progress: steps done, of how many, what happened.
        say: What is said once: what gave way to the data, and how long the training takes.

    Returns:
        Weights, those that were best in validation, and all that going on takes.

    Raises:
        InputError: The data are too few for such episodes.
        RunError: `out` has a checkpoint and `resume` is not set, or has none to resume, or one of another learner, of
            other data or of other episodes; or the loss is no longer finite.
        KeyboardInterrupt: Somebody stopped it; `out` has what was learned until then.

    See Also:
        `TrainingSettings`, `evaluate`.

    Example:
        >>> from autometa.fewshot import Trained, find_learner, load_data, make
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(5), {"width": 8})
        >>> settings = TrainingSettings(2, query=2, look_every=2, look_episodes=4, backend="vmap")
        >>> state = train(learner, digits, settings, training=Training(way=5, query=2))
        >>> state.step, state.progress["best_step"], Trained.of(state).any_way
        (2, 2, True)
    """
    within = data.within_domain or isinstance(sampler, Domain)
    notes: list[str] = []
    if training is None:
        _, training, notes = suited(data, settings, learner.training, within=within, asked=("query",))
    wrong = check(data, settings, training, within=within)
    if wrong:
        raise InputError(wrong)
    begun, where = time.monotonic(), torch.device(device)
    source = {**(origin or {"name": data.name}), "fingerprint": getattr(data.train, "fingerprint", None)}
    if resume:
        state, more = resumed(learner, settings, training, out, where, source)
        notes += more
    else:
        if out is not None and (out / FILE).exists():
            raise RunError(f"{out}: already has a checkpoint. Go on with --resume, or choose another folder.")
        state = _fresh(learner, settings, training, where, source)
    for note in notes:
        say(note)
    sampler = sampler or (Domain() if data.within_domain else Uniform())
    run = _MetaTraining(learner, data, settings, training, sampler, where, state, out, tell, say, begun)
    run.choose_backend()
    try:
        if run.unjudged():
            run.validate()  # it was stopped in the midst of this validation step
        while not run.over(until):
            run.step()
            if state.step % settings.look_every == 0 or state.step == settings.steps:
                run.validate()
            elif time.monotonic() - run.saved > OPTIONS.save_seconds:
                run.save()
    except KeyboardInterrupt:
        run.interrupted()
        raise
    return run.finish()


class _MetaTraining:
    """One call of `train`: its loop's state, and what can happen in it."""

    def __init__(
        self,
        learner: Learner,
        data: Data,
        settings: TrainingSettings,
        training: Training,
        sampler: TaskSampler,
        device: torch.device,
        state: Checkpoint,
        out: Path | None,
        tell: TellProgress,
        say: Callable[[str], None],
        begun: float,
    ) -> None:
        self.learner, self.settings, self.training, self.sampler = learner, settings, training, sampler
        self.device, self.state, self.out, self.tell, self.say = device, state, out, tell, say
        self.source, self.validation = data.train.to(device), data.validation.to(device)
        self.validation_sampler = Domain() if data.within_domain else None
        self.optimiser, self.progress = Optimiser(training, settings.steps), TrainingProgress(**state.progress)
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = state.random["tasks"]
        self.progress.precision = accelerate.precision_of(learner, device)
        self.gradient = accelerate.meta_gradient_of(recorded=settings.compile, device=device, say=say)
        # Loss and score since they were last counted, where the weights are: reading them at each step would have a GPU
        # wait for the processor.
        self.sums: torch.Tensor | None = None
        self.chosen = ""  # which tasks the last step learned from
        self.begun = self.counted = begun  # of this call; until when `progress.seconds` has counted
        # When the checkpoint was written; the first is written after the first step, so that a kill leaves something.
        self.saved = -math.inf
        self.drew: Mapping[str, Any] | None = None  # the generator before the step that is being taken
        self.moving = False  # whether weights are being changed, so that they are of no step
        self.first, self.walked = time.monotonic(), 0  # when the steps of this call began, and how many they are
        self.told = False  # whether it was said how long the training takes

    def over(self, until: int | None) -> bool:
        """Whether nothing is left to do, or the time of this call is over, or its last step was taken."""
        done, settings = self.state.step, self.settings
        if done >= settings.steps or self.progress.stopped or (until is not None and done >= until):
            return True
        return settings.seconds is not None and time.monotonic() - self.begun > settings.seconds

    def draw(self) -> Episode:
        """The next meta-batch: tasks that the sampler chooses, in the ways and shots of training."""
        settings, training = self.settings, self.training
        shot = training.shot or settings.shot
        if training.fewer_shots and shot > 1:
            shot = int(self.rng.integers(1, shot + 1))
        part = self.state.step / settings.steps
        chosen = self.sampler.choose(self.source, self.rng, training.tasks, training.way or settings.way, part)
        self.chosen = chosen.why
        episode = self.source.episode(self.rng, chosen, shot, training.query)
        return augmented(episode, training.augment, self.rng)

    def choose_backend(self) -> None:
        """Times the back ends on a meta-batch that is then drawn again, if that was asked for."""
        if self.progress.backend == "auto":
            with accelerate.precision(self.learner, self.device):
                self.progress.backend, took = backends.tune(self.learner, self.state.weights, self.draw())
            self.rng.bit_generator.state = self.state.random["tasks"]
            fastest = f"back end {self.progress.backend}, {took[self.progress.backend]:.3f} s a step"
            self.tell(self.state.step, self.settings.steps, fastest)
        self.first = time.monotonic()

    def unjudged(self) -> bool:
        """Whether the last step of a training that goes on was to be followed by a validation step, and was not."""
        return self.progress.since > 0 and self.state.step % self.settings.look_every == 0

    def estimate(self) -> None:
        """Says once, after a few steps, how long all of them take."""
        took = time.monotonic() - self.first
        if self.told or self.walked < OPTIONS.estimated_steps or took < OPTIONS.estimated_seconds:
            return
        self.told = True
        left, each = self.settings.steps - self.state.step, took / self.walked
        if left * each < OPTIONS.worth_telling:
            return
        text = f"about {spoken(left * each)} for {left:,} more steps of {each:.2g} s, beside validation"
        if self.settings.seconds is not None and left * each > self.settings.seconds:
            text += f"; stops after {spoken(self.settings.seconds)}"
        if self.out is not None:
            text += "; stopped (Ctrl-C), it goes on with --resume"
        self.say(text)

    def interrupted(self) -> None:
        """Keeps what was learned before the step in which somebody stopped the training."""
        if self.moving:
            return  # the last checkpoint is whole, and these weights are not
        if self.drew is not None:
            self.rng.bit_generator.state = dict(self.drew)
        self.save()

    def step(self) -> None:
        """One meta-batch, one step of the optimiser; the norms' statistics move towards what they saw."""
        self.drew = self.rng.bit_generator.state
        state, progress, episode = self.state, self.progress, self.draw()
        with accelerate.precision(self.learner, self.device), accelerate.memory_told(self.training.tasks):
            loss, gradients, outcome = self.gradient(self.learner, state.weights, episode, progress.backend)
        right = score(self.learner.problem, outcome.outputs, episode.query).mean()
        both = torch.stack([loss.detach().to(right), right]).double()
        self.moving = True
        self.optimiser.move(state.weights, gradients, state.optimiser, state.step)
        for name, seen in outcome.statistics.items():
            state.weights[name].lerp_(seen.mean(0).to(state.weights[name]), OPTIONS.momentum)
        state.step += 1
        self.sums = both if self.sums is None else self.sums + both
        progress.since += 1
        self.drew, self.moving, self.walked = None, False, self.walked + 1
        self.estimate()

    def validate(self) -> None:
        """A validation step: the score on episodes of a fixed seed; remembers the best weights, and saves."""
        state, progress, settings = self.state, self.progress, self.settings
        self.count()
        found = evaluate(
            self.learner, state.weights, self.validation, episodes=settings.look_episodes, way=settings.way,
            shot=settings.shot, query=settings.query, seed=settings.seed + 1,
            together=None if self.device.type == "cuda" else self.training.tasks,
            backend=progress.backend, sampler=self.validation_sampler,
        )  # fmt: skip
        if not np.isfinite(progress.loss):
            raise RunError(
                f"training diverged before step {state.step}: the loss is not finite. Lower the rate "
                "(--set rate=..., or --learning-rate)."
            )
        if progress.best is None or found.mean > progress.best:
            state.best = _copy(state.weights)
            progress.best, progress.best_step, progress.stale = found.mean, state.step, 0
        else:
            progress.stale += 1
        progress.stopped = progress.stale >= settings.patience
        line = {
            "step": state.step, "loss": progress.loss / progress.since, "score": progress.score / progress.since,
            "validation": found.mean, "interval": found.interval, "rate": self.optimiser.rate(state.step - 1),
            "chose": self.chosen,
        }  # fmt: skip
        progress.loss, progress.score, progress.since = 0.0, 0.0, 0
        self.save(line)
        self.tell(state.step, settings.steps, f"validation {found.mean:.4f} ± {found.interval:.4f}")

    def count(self) -> None:
        """Adds what the steps since the last time have lost and scored to the progress."""
        if self.sums is not None:
            loss, right = self.sums.tolist()
            self.progress.loss, self.progress.score = self.progress.loss + loss, self.progress.score + right
            self.sums = None

    def save(self, line: dict[str, Any] | None = None) -> None:
        """Brings the checkpoint up to date and writes it, and `line` to the learning curve."""
        self.count()
        now = time.monotonic()
        self.progress.seconds += now - self.counted
        self.counted = now
        self.state.random["tasks"] = self.rng.bit_generator.state
        self.state.progress = asdict(self.progress)
        if self.progress.best is None:
            self.state.best = _copy(self.state.weights)  # nothing better is known yet
        if self.out is not None:
            self.state.save(self.out / FILE)
            if line is not None:
                with (self.out / CURVE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, "seconds": round(self.progress.seconds, 1)}) + "\n")
        self.saved = time.monotonic()

    def finish(self) -> Checkpoint:
        """Saves a last time, and returns the state."""
        self.save()
        return self.state


def _fresh(
    learner: Learner,
    settings: TrainingSettings,
    training: Training,
    device: torch.device,
    origin: dict[str, Any],
) -> Checkpoint:
    """The state before the first step, by the seed."""
    seeds = np.random.SeedSequence(settings.seed).spawn(2)
    first = torch.Generator().manual_seed(int(seeds[0].generate_state(1)[0]))  # on the processor: devices start alike
    weights = {key: w.to(device) for key, w in learner.initialise(first).items()}
    learned = {key: w for key, w in weights.items() if not key.startswith(RUNNING)}
    return Checkpoint(
        learner=name_of(learner),
        options=options_of(learner),
        problem=learner.problem,
        weights=weights,
        best=_copy(weights),
        optimiser=Optimiser(training, settings.steps).initialise(learned),
        settings=asdict(settings) | {"training": asdict(training)},
        data=origin,
        random={"tasks": np.random.default_rng(seeds[1]).bit_generator.state},
        progress=asdict(TrainingProgress(backend=settings.backend)),
    )


def _copy(weights: Weights) -> Weights:
    return {name: w.clone() for name, w in weights.items()}


def spoken(seconds: float) -> str:
    """A time in words: two figures are enough to decide whether to wait.

    Example:
        >>> spoken(40), spoken(400), spoken(30000)
        ('40 s', '7 min', '8.3 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
