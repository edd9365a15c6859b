"""What a learner is: how it is judged in training, how it adapts to a support set, how it answers queries.

A learner is a frozen record of options with these methods, written for **one task**; back ends map them over tasks. Its
weights are a value that is handed in, so that any back end may differentiate, map and compile. To add one, write a file
in `learners` and give it a line in `LEARNERS`: the contract tests, the trainer, the command line and the classifier
find it there.

Laws: padding changes nothing; the order of queries changes their order only; renaming the classes renames the answers
(with the rows of the ``head`` weights renamed alike); zero inner steps are the identity.

Letters:  s support · q query · o outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, get_args, get_origin, get_type_hints

from torch import Generator, Tensor, nn

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.bodies import EncodedSpec
from autometa.fewshot.episode import Episode, EpisodeKind, EpisodeSpec, Examples, mean_loss
from autometa.fewshot.networks import Weights
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before


class TaskOutcome(NamedTuple):
    """What a learner's loss tells beside its value, of one task in training.

    See Also:
        `Learner`.

    Example:
        >>> import torch
        >>> TaskOutcome(torch.zeros(5, 3), {}).outputs.shape
        torch.Size([5, 3])
    """

    outputs: Tensor  # (q, o)
    statistics: Weights  # what the norms saw, for the running statistics


@dataclass(frozen=True, slots=True)
class Training:
    """How a learner is meta-trained; each learner's `training` says how its paper does it.

    See Also:
        `Learner`, `TrainingSettings`.

    Example:
        >>> Training(tasks=8, rate=1e-2).optimizer
        'adam'
    """

    tasks: int = 4  # of a meta-batch: one step of the optimiser
    optimizer: Literal["adam", "sgd"] = "adam"
    rate: float = 1e-3  # of the optimiser
    decay: float = 0.0  # of the weights, decoupled (AdamW)
    schedule: Literal["constant", "halving", "linear"] = "constant"  # of the rate; a linear one ends at 0
    half_life: int = 2000  # steps after which a halving rate halves
    clip: float = 0.0  # the norm that gradients are clipped to; 0: not at all
    way: int | None = None  # classes of a training episode; None: as many as when judged
    shot: int | None = None  # support examples of a class in training; None: as many as when judged
    fewer_shots: bool = False  # whether each step draws its shots, from one to that number
    query: int = 15  # query examples of a class in training
    augment: str = ""  # how images are changed in training: names of `augment.AUGMENTATIONS`, with commas


class Learner(Protocol):
    """A learner of episodes: four methods of one task, and how its paper trains it.

    See Also:
        `make`, `TaskOutcome`; docs/fewshot.md says how to write one.

    Example:
        >>> from autometa.fewshot import EpisodeSpec, find_learner
        >>> learner: Learner = make(find_learner("protonet"), EpisodeSpec("classification", (1, 8, 8), 3), {"width": 4})
        >>> learner.transductive, learner.training.optimizer
        (False, 'adam')
    """

    kinds: ClassVar[tuple[EpisodeKind, ...]]  # what it can learn
    source: ClassVar[str]  # the paper

    @property
    def problem(self) -> EpisodeSpec:
        """What its episodes have in common."""
        ...

    @property
    def training(self) -> Training:
        """How it is trained where nobody says otherwise."""
        ...

    @property
    def transductive(self) -> bool:
        """Whether its answers depend on the other queries, through the norms."""
        ...

    def initialise(self, generator: Generator) -> Weights:
        """Fresh weights, drawn from `generator`."""
        ...

    def loss(self, weights: Weights, task: Episode) -> tuple[Tensor, TaskOutcome]:
        """What training minimises on one task, and the query's outputs."""
        ...

    def adapt(self, weights: Weights, support: Examples) -> Any:
        """What is learned from a support set: tensors, in any nesting of tuples and dictionaries."""
        ...

    def predict(self, weights: Weights, adapted: Any, query: Examples) -> Tensor:  # (q, o)
        """What the queries are answered, by what was learned from the support: logits, or values."""
        ...


def query_loss(learner: Learner, weights: Weights, adapted: Any, task: Episode) -> tuple[Tensor, TaskOutcome]:
    """The loss of most learners: that of the query, once adapted to the support."""
    outputs = learner.predict(weights, adapted, task.query)
    return mean_loss(learner.problem, outputs, task.query), TaskOutcome(outputs, {})


def with_outputs(learner: Any, outputs: int) -> Any:
    """The learner for another number of classes; only one without a weight for each class can be."""
    return replace(learner, problem=replace(learner.problem, outputs=outputs))


def completed(learner: Any) -> Any:
    """A learner that was read from a pickle, with the defaults of options that are newer than that."""
    for option in fields(learner):
        if not hasattr(learner, option.name):
            object.__setattr__(learner, option.name, option.default)
    return learner


def make(
    kind: type[Any],
    problem: EpisodeSpec,
    options: dict[str, Any] | None = None,
    *,
    encoder: nn.Module | None = None,
    tune_encoder: bool = False,
) -> Any:
    """A learner for a problem: the options that are given, else those that its paper used there, else its own.

    Args:
        kind: A class of `LEARNERS`.
        problem: What its episodes have in common; a source's `problem` says it.
        options: By name; values may be text, as from a command line.
        encoder: A module of one's own that makes a vector of each example, in place of the learner's network. It is
            given images in 0..1, or vectors as they are.
        tune_encoder: Whether the module's weights are learned too; else they stay as they are. The module itself is
            never changed: weights are copies.

    Raises:
        InputError: It cannot learn problems of that kind, or has no such option, or not of that type; all of it.

    See Also:
        `find_learner`, `EpisodeSpec`.

    Example:
        >>> from autometa.fewshot import EpisodeSpec, find_learner
        >>> maml = make(find_learner("maml"), EpisodeSpec("classification", (1, 28, 28), 20), {"width": "32"})
        >>> maml.width, maml.steps, maml.rate  # the paper takes five steps of .1 where there are 20 ways
        (32, 5, 0.1)
    """
    if encoder is not None:
        problem = EncodedSpec.of(problem, encoder, tuned=tune_encoder)
    given = dict(options or {})
    wrong = []
    name = kind.__name__
    if problem.kind not in kind.kinds:
        wrong.append(Problem(name, f"does not do {problem.kind}", "`autometa fewshot list` says what each can do."))
    declared = get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.name != "problem"]
    for option, value in given.items():
        if option not in known:
            fix = f"{did_you_mean(option, known)} Options: {', '.join(known) or 'none'}.".strip()
            wrong.append(Problem(name, f"no option {option!r}", fix))
            continue
        try:
            given[option] = _read(value, declared[option])
        except ValueError as error:
            wrong.append(Problem(f"{name}: {option}", str(error)))
    if given.get("backbone", "conv4") != "conv4" and (len(problem.shape) != 3 or encoder is not None):
        what = "an encoder is below the learner" if encoder is not None else f"examples are of shape {problem.shape}"
        wrong.append(Problem(f"{name}: backbone", f"{given['backbone']} is for images, and {what}", "Leave it out."))
    if wrong:
        raise InputError(wrong)
    preset: dict[str, Any] = kind.preset(problem) if hasattr(kind, "preset") else {}
    return kind(problem, **{**preset, **given})


def _read(value: Any, declared: Any) -> Any:
    """A value, or its text, as the type that an option is declared to have; ValueError if it cannot be."""
    if not isinstance(value, str):
        return value
    if declared is bool:
        if value.lower() in ("true", "yes", "1", "false", "no", "0"):
            return value.lower() in ("true", "yes", "1")
        raise ValueError(f"{value!r} is neither true nor false")
    if declared in (int, float):
        try:
            return declared(value)
        except ValueError:
            raise ValueError(f"{value!r} is not {'a whole number' if declared is int else 'a number'}") from None
    if get_origin(declared) is Literal and value not in get_args(declared):
        raise ValueError(f"{value!r} is none of {', '.join(get_args(declared))}")
    return value
