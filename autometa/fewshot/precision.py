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
from torch.nn.functional import conv2d, pad

from autometa.fewshot.options import OPTIONS
from autometa.fewshot.unbatched import is_unbatched

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
        if _goes_by_patches(h, kernel):
            return _by_patches(h, kernel, stride, padding)
        return conv2d(h, kernel, padding=padding, stride=stride)
    return conv2d(h.to(torch.bfloat16), kernel.to(torch.bfloat16), padding=padding, stride=stride).to(h.dtype)


def _goes_by_patches(h: Tensor, kernel: Tensor) -> bool:
    """Whether one product of matrices is quicker: of many grey images that nothing is derived by, on a processor."""
    if not is_unbatched() or h.device.type != "cpu" or h.requires_grad or h.shape[1] != 1:
        return False
    return len(h) >= OPTIONS.patched_images and kernel.dtype == h.dtype


def _by_patches(h: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:  # (n, 1, h, w) -> (n, c, ...)
    """The convolution as a product, whose derivatives are products too."""
    n, side = len(h), kernel.shape[-1]
    padded = pad(h[:, 0], (padding,) * 4)
    high, wide = ((length - side) // stride + 1 for length in padded.shape[1:])
    along, down, across = padded.stride()
    shape, steps = (n, high, wide, side, side), (along, down * stride, across * stride, down, across)
    patches = padded.as_strided(shape, steps).reshape(-1, side * side)
    return (patches @ kernel.flatten(1).T).view(n, high, wide, -1).permute(0, 3, 1, 2)
