"""How long a training goes on, and on what episodes: what its caller varies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long to train, on what episodes, and when to stop.

    The names are those of the command line's flags, and of the checkpoint.

    See Also:
        `train`, `Training`.

    Example:
        >>> TrainingSettings(steps=300, way=3).shot
        1
    """

    steps: int  # of the whole training, by which schedules go
    way: int = 5  # classes of an episode
    shot: int = 1  # support examples of a class
    query: int = 15  # query examples of a class in a validation step
    seed: int = 0  # of weights and episodes
    look_every: int = 500  # steps from one validation step to the next
    look_episodes: int = 100  # episodes of a validation step
    patience: int = 20  # validation steps without improvement after which training stops
    seconds: float | None = None  # of this call; what is left can be resumed
    backend: str = "auto"  # how the tasks of a meta-batch are batched; auto times the back ends
    compile: bool = False  # on a GPU, whether the step of each shape is recorded once and replayed (a CUDA graph)
