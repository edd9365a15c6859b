"""In which precision a convolution is calculated: float32, or bfloat16 within `lowered`.

Only convolutions are lowered. What norms gather, distances and solves stay in float32: a variance as the difference of
two means of eight bits, or a distance as a difference of products of them, is noise.

It is a context variable and no argument, for the reason that `unbatched` gives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_lowered: ContextVar[bool] = ContextVar("lowered", default=False)


@contextlib.contextmanager
def lowered(enabled: bool = True) -> Iterator[None]:
    """Within, convolutions are calculated in bfloat16."""
    token = _lowered.set(enabled)
    try:
        yield
    finally:
        _lowered.reset(token)


def convolved(h: Tensor, kernel: Tensor, *, stride: int = 1, padding: int = 1) -> Tensor:  # (n, c, ...) in h's type
    """A convolution, in bfloat16 within `lowered`; what goes in and comes out is of one type either way.

    Example:
        >>> with lowered():
        ...     convolved(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)).dtype
        torch.float32
    """
    if not _lowered.get():
        return conv2d(h, kernel, padding=padding, stride=stride)
    return conv2d(h.to(torch.bfloat16), kernel.to(torch.bfloat16), padding=padding, stride=stride).to(h.dtype)
