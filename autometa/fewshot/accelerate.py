"""What a GPU adds to training: cheaper precision where it does no harm, and steps that are recorded once and replayed.

A meta-gradient of small images is some thousand kernels of microseconds each, so a GPU waits for the processor that
launches them. A recorded step (a CUDA graph) is launched at once. On a CPU nothing of this happens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch.utils._pytree import tree_leaves, tree_map

from autometa.errors import RunError
from autometa.fewshot.backends import meta_gradient
from autometa.fewshot.episode import Episode
from autometa.fewshot.learner import Learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.precision import lowered

Precision = Literal["float32", "tf32", "bfloat16"]
Found = tuple[torch.Tensor, Weights, Any]  # what `meta_gradient` gives


def precision_of(learner: Learner, device: torch.device | str) -> Precision:
    """In what a learner calculates on a device: TF32 on a GPU, and convolutions in bfloat16 if it says so.

    A learner says so by a class variable, ``precision = "bfloat16"``: one that only measures distances. An inner loop
    in bfloat16 does not find its way.
    """
    if torch.device(device).type != "cuda":
        return "float32"
    low = getattr(learner, "precision", "float32") == "bfloat16" and torch.cuda.is_bf16_supported()
    return "bfloat16" if low else "tf32"


@contextlib.contextmanager
def precision(learner: Learner, device: torch.device | str) -> Iterator[None]:
    """Within, a learner calculates as `precision_of` says: in training, in validation and when it is judged."""
    kind = precision_of(learner, device)
    if kind == "float32":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with lowered(kind == "bfloat16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def recorded_on_a_gpu(step: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """A function of nothing, recorded: what replays it, and where its results are after each replay.

    Raises:
        RuntimeError: Something in it needs the processor, such as a decision by the value of a tensor.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries choose their algorithms, and allocate, before they are recorded
        for _ in range(OPTIONS.calls_before_recording):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step()
    return graph.replay, found


class Recorded:
    """The meta-gradient as a recorded step, one for each shape of its episodes; as it is where that cannot be.

    What it gives is overwritten by the next call.
    """

    def __init__(
        self, say: Callable[[str], None], record: Callable[..., tuple[Callable[[], None], Any]] = recorded_on_a_gpu
    ) -> None:
        self.say, self.record = say, record
        self._known: dict[tuple[Any, ...], tuple[Callable[[], None], Episode, Found]] = {}
        self._gave_up = False

    def __call__(self, learner: Learner, weights: Weights, episode: Episode, backend: str) -> Found:
        """As `meta_gradient`."""
        if self._gave_up or backend in ("loop", "mixed"):  # which decides by the values of tensors
            return meta_gradient(learner, weights, episode, backend)
        leaves = tree_leaves(episode)
        # The weights are where they were recorded, or what is replayed would be of others.
        key = (backend, *(tuple(a.shape) for a in leaves), *(w.data_ptr() for w in weights.values()))
        if key not in self._known:
            kept = tree_map(torch.clone, episode)
            try:
                replay, found = self.record(lambda: meta_gradient(learner, weights, kept, backend))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self._gave_up = True
                self.say(f"a step cannot be recorded, and is launched part by part: {str(error).splitlines()[0]}")
                return meta_gradient(learner, weights, episode, backend)
            self._known[key] = replay, kept, found
        replay, kept, found = self._known[key]
        for place, given in zip(tree_leaves(kept), leaves, strict=True):
            place.copy_(given)
        replay()
        return found


def meta_gradient_of(
    *, recorded: bool, device: torch.device | str, say: Callable[[str], None]
) -> Callable[[Learner, Weights, Episode, str], Found]:
    """The meta-gradient, recorded on a GPU if asked for."""
    return Recorded(say) if recorded and torch.device(device).type == "cuda" else meta_gradient


@contextlib.contextmanager
def memory_told(tasks: int) -> Iterator[None]:
    """Within, a GPU without memory left ends in a sentence.

    Raises:
        RunError: With what to lower.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"the GPU has too little memory for {tasks} tasks at once ({str(error).splitlines()[0]}). Lower --tasks, "
            "or take them in groups: --backend chunk4."
        ) from None
