"""Sine waves of random amplitude and phase: the regression of the MAML paper.

Amplitude in [0.1, 5], phase in [0, pi], x in [-5, 5]. All three splits draw from the same waves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

from autometa.errors import Problem
from autometa.fewshot.data.source import Choice, Data, Description
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples

AMPLITUDE, PHASE, INPUTS = (0.1, 5.0), (0.0, np.pi), (-5.0, 5.0)  # ranges; those of the MAML paper


@dataclass(frozen=True, slots=True)
class Sinusoids:
    """A source of sine waves, ``y = amplitude * sin(x - phase)``; a task is a wave."""

    device: torch.device | str = "cpu"

    @property
    def domains(self) -> tuple[str, ...]:
        """There is one domain, since all waves are of a kind."""
        return ("sinusoid",)

    def problem(self, way: int) -> EpisodeSpec:
        """Regression of one number from one number, whatever `way` is."""
        return EpisodeSpec("regression", (1,), 1)

    def check(self, way: int, examples: int) -> list[Problem]:
        """There are always enough; `way` has no meaning."""
        return []

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """Waves of random amplitude and phase."""
        pairs = zip(rng.uniform(*AMPLITUDE, count), rng.uniform(*PHASE, count), strict=True)
        return [Choice("sinusoid", (float(a), float(b))) for a, b in pairs]

    def describe(self, choices: Sequence[Choice]) -> Description:
        """Amplitude and phase, each over its range; large waves are hard."""
        keys = np.array([choice.key for choice in choices])
        low, high = np.array([AMPLITUDE, PHASE]).T
        return Description((keys - low) / (high - low), keys[:, 0])

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """Points at random places on the waves, without noise."""
        keys = np.array([choice.key for choice in choices])  # (t, 2)
        x = rng.uniform(*INPUTS, (len(keys), shot + query, 1))
        y = keys[:, :1, None] * np.sin(x - keys[:, 1:, None])
        points, values = (torch.from_numpy(a.astype(np.float32)).to(self.device) for a in (x, y))
        mask = torch.ones(points.shape[:2], device=self.device)
        support, query_ = (
            Examples(points[:, part], values[:, part], mask[:, part]) for part in (slice(shot), slice(shot, None))
        )
        return Episode(support, query_, torch.full((len(keys), 1), -1, device=self.device))

    def to(self, device: torch.device | str) -> Sinusoids:
        """The same source, whose episodes are on another device."""
        return Sinusoids(device)


def sinusoid(path: str | None, options: dict[str, Any]) -> Data:
    """Three times the same waves; `path` is not needed."""
    return Data("sinusoid", Sinusoids(), Sinusoids(), Sinusoids(), regression=True)
