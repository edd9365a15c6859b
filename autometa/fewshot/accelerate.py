"""What a GPU adds to training: cheaper precision where it does no harm, and a compiled meta-gradient.

On a CPU nothing of this happens, whatever is asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from autometa.fewshot.backends import meta_gradient
from autometa.fewshot.learner import Learner


@contextlib.contextmanager
def precision(learner: Learner, device: torch.device | str) -> Iterator[None]:
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


def meta_gradient_of(*, compiled: bool, device: torch.device | str) -> Callable[..., Any]:
    """The meta-gradient, compiled on a GPU if asked for; as it is from the first time that compiling fails."""
    if not compiled or torch.device(device).type != "cuda":
        return meta_gradient
    fast: Callable[..., Any] | None = torch.compile(meta_gradient)

    def either(*given: Any) -> Any:
        nonlocal fast
        if fast is not None:
            try:
                return fast(*given)
            except (RuntimeError, torch._dynamo.exc.TorchDynamoException):
                fast = None
        return meta_gradient(*given)

    return either
