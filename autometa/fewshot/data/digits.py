"""scikit-learn's digits, 8 x 8: what can be tried in seconds, with nothing to download.

Digits 0 to 6 are trained on, each of four quarter turns a class; 7 to 9, upright or lying, are new in the test.
Validation is on other drawings of the training digits: there are too few classes for a third part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autometa.fewshot.data.classes import Classes, grouped
from autometa.fewshot.data.source import Data
from autometa.fewshot.options import OPTIONS


def digits(path: str | None, options: dict[str, Any]) -> Data:
    """The splits of scikit-learn's digits; neither a path nor options are needed."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    pixels = torch.from_numpy(np.round(loaded.images * (255 / 16)).astype(np.uint8))[:, None]  # (n, 1, 8, 8)
    label = loaded.target.astype(np.int64)
    held = np.random.default_rng(0).random(len(label)) < OPTIONS.digits_held

    def part(keep: Any, turns: int) -> Classes:
        rows = grouped(label, keep)
        return Classes(pixels, tuple(rows.values()), tuple(map(str, rows)), tuple("digits" for _ in rows), turns)

    old = label < OPTIONS.digits_trained
    return Data("digits", part(old & ~held, 4), part(old & held, 2), part(~old, 2))
