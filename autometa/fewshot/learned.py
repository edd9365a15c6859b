"""A trained learner as an encoder of images, ``fewshot:CHECKPOINT``: what its network makes of them, or their pixels.

Read like any checkpoint, without running anything in it. It takes images of its own size, to which others are scaled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, RunError
from autometa.fewshot.applied import embeds, rows_of_images
from autometa.fewshot.backends import find_device
from autometa.fewshot.checkpoint import FILE, Checkpoint
from autometa.fewshot.data.images import HowRead, read_images
from autometa.fewshot.encoders import Batch, Encoder, HowFed, Takes, content_of, files_of, find_encoder
from autometa.fewshot.pretrained import located
from autometa.fewshot.trained import Trained

LEARNER = "fewshot:"


def any_encoder(name: str | None, takes: Takes, how: HowFed | None = None) -> Encoder:
    """The encoder of a name: a trained learner's, or as `find_encoder` says.

    Raises:
        InputError: There is none; says why.

    Example:
        >>> any_encoder("fewshot:none.npz", "images")
        Traceback (most recent call last):
            ...
        autometa.errors.InputError: encoder fewshot:none.npz: no checkpoint there. `autometa fewshot train` makes one.
    """
    if name is None or not name.startswith(LEARNER):
        return find_encoder(name, takes, how)
    return _of_learner(name, takes, how or HowFed())


def _of_learner(name: str, takes: Takes, how: HowFed) -> Encoder:
    where, path = f"encoder {name}", located(name.removeprefix(LEARNER))
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(Problem(where, "no checkpoint there", "`autometa fewshot train` makes one."))
    try:
        state = Checkpoint.load(file, device=find_device(how.device))
    except RunError as error:
        raise InputError(Problem(where, str(error))) from error
    trained = Trained.of(state, find_device(how.device))
    shape = trained.learner.problem.shape
    wrong = []
    if takes != "images" or len(shape) != 3:
        made = "images" if len(shape) == 3 else f"rows of {shape[0]} numbers"
        wrong.append(Problem(where, f"learned from {made}, and these are {takes}", "Name another."))
    elif shape[1] != shape[2] or shape[0] not in (1, 3):
        wrong.append(Problem(where, f"learned from images of shape {shape}", "Squares of 1 or 3 channels are read."))
    elif how.size not in (None, shape[1]):
        wrong.append(Problem(where, f"takes images of {shape[1]} pixels a side, not {how.size}", "Leave the size out."))
    if how.scaling == "imagenet":
        wrong.append(Problem(where, "takes images as they are", "Leave the scaling out."))
    if wrong:
        raise InputError(wrong)
    read = HowRead.of(state.data.get("options") or {}) if state.data.get("name") == "images" else HowRead()

    def encode(files: Batch) -> NDArray[np.float32]:
        images = read_images(files_of(files), size=shape[1], grey=shape[0] == 1, bits=read.bits)
        return rows_of_images(trained, images)

    mark = f"learner|{content_of(file)}|{'embedded' if embeds(trained) else 'pixels'}"
    return Encoder(name, "images", mark, encode, shape[1])
