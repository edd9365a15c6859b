"""The models of several targets of one table, asked together.

Letters:  n rows · k targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.search.model import Model, load_model
from autometa.search.several import parts_of_run


@dataclass(frozen=True, slots=True)
class JointModel:
    """The models of several targets of one table, asked together.

    See Also:
        `load_models`, which reads one; `Model`.

    Example:
        >>> from autometa.search import load_model
        >>> joint = JointModel({"wine": load_model(run)})
        >>> list(joint.predict(wines.head(2))), joint.predict_proba(wines.head(2))["wine"].shape
        (['wine'], (2, 3))
    """

    models: Mapping[str, Model]  # by target

    def predict(self, frame: Any, *, allow_missing: bool = False) -> pd.DataFrame:  # (n, k)
        """The answers of all models, a column for each target.

        Args:
            frame: As `Model.predict` takes it.
            allow_missing: As there.

        Raises:
            InputError: As there.
        """
        return pd.DataFrame(
            {name: model.predict(frame, allow_missing=allow_missing) for name, model in self.models.items()}
        )

    def predict_proba(self, frame: Any, *, allow_missing: bool = False) -> dict[str, NDArray[np.float64]]:
        """Of each target that has classes, the probabilities (n, c), in the order of its model's `classes`."""
        return {
            name: model.predict_proba(frame, allow_missing=allow_missing)
            for name, model in self.models.items()
            if model.classes
        }


def load_models(run: str | Path, *, trusted: bool = False) -> JointModel:
    """The models of a run of several targets.

    Args:
        run: Its folder.
        trusted: Read them even though somebody else made them: that runs code in them.

    Raises:
        RunError: It is none, a target is not finished, or a model is damaged or somebody else's.

    See Also:
        `load_model`, of one target.

    Example:
        >>> load_models("nowhere")
        Traceback (most recent call last):
            ...
        autometa.errors.RunError: nowhere is no run of several targets. `load_model` reads that of one
    """
    parts = parts_of_run(run)
    if not parts:
        raise RunError(f"{run} is no run of several targets. `load_model` reads that of one")
    return JointModel({name: load_model(part, trusted=trusted) for name, part in parts.items()})
