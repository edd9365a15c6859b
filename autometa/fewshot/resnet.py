"""ResNet-12, the larger network of the few-shot literature: four residual blocks of three convolutions.

A block is three times 3 x 3 convolution, norm and leaky ReLU, to the last of which what entered is added through a
1 x 1 convolution with a norm of its own; then the maximum of 2 x 2 places. Channels are 64, 160, 320 and 640 at the
width of the papers. What leaves the last block is averaged over its places. DropBlock, which some of the papers add on
photographs, is left out: it is noise that no seed of an episode would repeat.

Letters:  n examples · w width.

Source:
    Oreshkin, Rodriguez and Lacoste, 2018, "TADAM"; Lee, Maji, Ravichandran and Soatto, 2019, "Meta-learning with
    differentiable convex optimization", whose channels these are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import leaky_relu, max_pool2d

from autometa.fewshot.networks import Film, Norms, Weights, norm, norm_weights
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.precision import convolved

CHANNELS = (1.0, 2.5, 5.0, 10.0)  # of each block, in widths
CONVOLUTIONS = 3  # of a block
SKIP = "skip"


@dataclass(frozen=True, slots=True)
class ResNet12:
    """Four residual blocks; `width` is that of the first.

    Example:
        >>> network = ResNet12((3, 84, 84))
        >>> network.widths, network.features
        ((64, 160, 320, 640), 640)
        >>> sum(w.numel() for name, w in network.initialise(Generator()).items() if not name.startswith("running."))
        12424320
    """

    shape: tuple[int, ...]  # (channels, height, width)
    width: int = 64

    @property
    def depth(self) -> int:
        """How many blocks there are."""
        return len(CHANNELS)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each block."""
        return tuple(max(1, round(self.width * share)) for share in CHANNELS)

    @property
    def features(self) -> int:
        """Channels of the last block: places are averaged."""
        return self.widths[-1]

    def initialise(self, generator: Generator) -> Weights:
        """Convolutions by He's rule for leaky ReLU, as they leave a block, and fresh norms."""
        weights: Weights = {}
        entering, slope = self.shape[0], OPTIONS.leaky_slope
        for k, width in enumerate(self.widths):
            for j in range(CONVOLUTIONS):
                came = entering if j == 0 else width
                spread = math.sqrt(2 / ((1 + slope**2) * 9 * width))
                weights[f"conv{k}_{j}"] = torch.randn((width, came, 3, 3), generator=generator) * spread
                weights |= norm_weights(f"norm{k}_{j}", width)
            spread = math.sqrt(2 / ((1 + slope**2) * width))
            weights[f"conv{k}_{SKIP}"] = torch.randn((width, entering, 1, 1), generator=generator) * spread
            weights |= norm_weights(f"norm{k}_{SKIP}", width)
            entering = width
        return weights

    def block(
        self, weights: Weights, k: int, h: Tensor, mask: Tensor, norms: Norms, film: Film | None = None
    ) -> Tensor:
        """One residual block; `film` scales and shifts what its last norm gives, before what entered is added."""
        skip = convolved(h, weights[f"conv{k}_{SKIP}"], padding=0)
        skip = norm(weights, f"norm{k}_{SKIP}", skip, mask, norms)
        for j in range(CONVOLUTIONS):
            h = norm(weights, f"norm{k}_{j}", convolved(h, weights[f"conv{k}_{j}"]), mask, norms)
            if j < CONVOLUTIONS - 1:
                h = leaky_relu(h, OPTIONS.leaky_slope)
        if film is not None:
            h = h * film[0][:, None, None] + film[1][:, None, None]
        h = leaky_relu(h + skip, OPTIONS.leaky_slope)
        return max_pool2d(h, 2) if min(h.shape[2:]) > 1 else h

    def flatten(self, h: Tensor) -> Tensor:
        """The mean over places (n, features)."""
        return h.mean((2, 3))
