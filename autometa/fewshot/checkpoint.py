"""A learner and its training, as one file that can be read without running what is in it.

The file is an ``.npz``: a JSON header, and arrays under ``group/name`` (weights, best weights, the optimiser's state).
It is replaced atomically, so that a killed training leaves the last whole one.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from autometa import files
from autometa.errors import InputError, RunError
from autometa.fewshot.bodies import EncodedSpec
from autometa.fewshot.episode import EpisodeSpec
from autometa.fewshot.learner import Learner, make
from autometa.fewshot.learners import known_learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.pretrained import PRETRAINED, located

CHECKPOINT_FORMAT = 1
FILE = "checkpoint.npz"


@dataclass(slots=True)
class Checkpoint:
    """Everything that a training needs to go on, and a trained learner to answer.

    See Also:
        `Trained`, `train`.

    Example:
        >>> import tempfile
        >>> from autometa.fewshot import find_learner, load_data, make, Training, TrainingSettings, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(3), {"width": 4})
        >>> settings = TrainingSettings(1, way=3, query=1, look_every=1, look_episodes=2, backend="loop")
        >>> state = train(learner, digits, settings, training=Training(way=3, query=1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     state.save(Path(folder) / "checkpoint.npz")
        ...     again = Checkpoint.load(Path(folder) / "checkpoint.npz")
        >>> again.learner, again.step
        ('protonet', 1)
    """

    learner: str  # name in LEARNERS
    options: dict[str, Any]
    problem: EpisodeSpec
    weights: Weights  # the current ones
    best: Weights  # the best on validation episodes; those to use
    optimiser: Weights
    settings: dict[str, Any]  # how it was trained, as `TrainingSettings`
    data: dict[str, Any]  # what it was trained on: name, path, options
    step: int = 0
    random: dict[str, Any] = field(default_factory=dict)  # states of the generators
    progress: dict[str, Any] = field(default_factory=dict)  # how far it has come, as `trainer.TrainingProgress`

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            name: getattr(self, name)
            for name in ("learner", "options", "settings", "data", "step", "random", "progress")
        }
        header |= {"format": CHECKPOINT_FORMAT, "problem": _record(self.problem)}
        if isinstance(self.problem, EncodedSpec):
            header["encoder"] = {"features": self.problem.features, "tuned": self.problem.tuned}
        arrays = {
            f"{group}/{name}": w.detach().cpu().numpy()
            for group, weights in self._groups().items()
            for name, w in weights.items()
        }
        with files.whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: torch.device | str = "cpu",
        learner: str | None = None,
        encoder: nn.Module | None = None,
    ) -> Checkpoint:
        """Reads a file, or the one in a folder.

        Args:
            path: The file, the folder that `train` was given, or the name of one that comes trained (`PRETRAINED`).
            device: Where its tensors go.
            learner: The name of the learner that it must be of; None for any.
            encoder: The module that it was trained with, if it was: its form, for the weights are in the file.

        Raises:
            InputError: None that comes trained is called so.
            RunError: There is none, it is damaged, of another version, of another learner or encoder, or of a learner
                of one's own whose module is not imported.
        """
        path = located(path)
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            fix = f"`autometa fewshot train --out {path}` makes one; {', '.join(PRETRAINED)} comes with AutoMeta."
            raise RunError(f"{path}: no checkpoint there. {fix}")
        try:
            with file.open("rb") as raw, np.load(raw, allow_pickle=False) as stored:
                header = json.loads(stored["header"].tobytes())
                groups: dict[str, Weights] = {"weights": {}, "best": {}, "optimiser": {}}
                if header["format"] == CHECKPOINT_FORMAT:
                    for key in stored.files:
                        group, _, name = key.partition("/")
                        if name:
                            groups[group][name] = torch.from_numpy(stored[key]).to(device)
        except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise RunError(f"{file}: damaged, or no checkpoint of a few-shot learner ({error}).") from error
        if header["format"] != CHECKPOINT_FORMAT:
            made = f"a checkpoint of format {header['format']}, this program reads {CHECKPOINT_FORMAT}"
            raise RunError(f"{file}: {made}. Train it again.")
        if learner is not None and header["learner"] != learner:
            raise RunError(f"{file}: a checkpoint of {header['learner']}, not of {learner}.")
        problem = _problem(header.pop("problem"))
        made_with = header.pop("encoder", None)
        if (made_with is None) != (encoder is None):
            fix = "Give it as encoder=." if encoder is None else "Leave encoder= out."
            raise RunError(f"{file}: was trained {'with' if made_with else 'without'} an encoder of one's own. {fix}")
        other = f"{file}: a checkpoint of {header['learner']} as it is in another version. Train it again."
        try:
            tuned = bool(made_with and made_with["tuned"])
            built = make(
                known_learner(header["learner"]), problem, header["options"], encoder=encoder, tune_encoder=tuned
            )
            problem, fresh = built.problem, built.initialise(torch.Generator())
        except InputError as error:
            owned = ":" in header["learner"] or encoder is not None
            raise RunError(f"{file}: {error}" if owned else f"{other} {error}") from error
        if {name: w.shape for name, w in groups["best"].items()} != {name: w.shape for name, w in fresh.items()}:
            raise RunError(f"{file}: the encoder is another than it was trained with." if encoder else other)
        header.pop("format")
        return cls(problem=problem, **{**groups, **header})

    def _groups(self) -> Mapping[str, Weights]:
        return {"weights": self.weights, "best": self.best, "optimiser": self.optimiser}


def _problem(values: Mapping[str, Any]) -> EpisodeSpec:
    return EpisodeSpec(**{**values, "shape": tuple(values["shape"])})


def _record(problem: EpisodeSpec) -> dict[str, Any]:
    """What all problems have, without an encoder: a module is no JSON."""
    return {field.name: getattr(problem, field.name) for field in fields(EpisodeSpec)}


def options_of(learner: Learner) -> dict[str, Any]:
    """The options of a learner by name, as JSON keeps them."""
    every = fields(learner)  # type: ignore[arg-type]
    return {field.name: getattr(learner, field.name) for field in every if field.name != "problem"}
