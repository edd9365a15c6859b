"""A checkpoint that somebody names for a search: checked, and kept by its content, so that training may go on.

What is kept is what was best in validation, in the user's folder for what can be made again; a run keeps a copy of its
own (`autometa.search.run`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from autometa.adapting.card import LearnerCard, read_card
from autometa.errors import InputError, Problem
from autometa.families import FamilyOrigin
from autometa.files import private_folder
from autometa.files import replace as replace_file

FOLDER = "learners"  # in a run
LEARNER = "fewshot:"  # of an encoder that is a learner (`fewshot.learned`)


def default_folder() -> Path:
    """Where learners are kept: ``autometa/learners`` in the user's folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autometa" / "learners"


def keep(name: str | Path, folder: Path | None = None) -> LearnerCard:
    """A checkpoint of `autometa fewshot train`, as a family of one search.

    Args:
        name: Its file or folder, or the name of one that comes trained (`autometa.fewshot.PRETRAINED`).
        folder: Where it is kept; None for the user's.

    Raises:
        InputError: It is no learner that a search can adapt; says why.
        RunError: There is none, or it is damaged (`Checkpoint.load`).
        OSError: It cannot be kept.

    See Also:
        `autometa.fewshot.train`; `AutoMetaClassifier`'s ``fewshot``.

    Example:
        >>> import tempfile
        >>> from autometa import FewShotClassifier
        >>> model = FewShotClassifier("protonet", options={"width": 8}).meta_fit("digits", steps=1, way=3)
        >>> with tempfile.TemporaryDirectory() as path:
        ...     model.save(path)
        ...     card = keep(path, Path(path))
        >>> card.learner, card.shape, card.numbers, card.ways
        ('protonet', (1, 8, 8), 32, None)
    """
    from autometa.fewshot.applied import INNER_STEPS, embeds, has_features, numbers_of
    from autometa.fewshot.checkpoint import Checkpoint
    from autometa.fewshot.options import OPTIONS
    from autometa.fewshot.trained import Trained

    where = f"fewshot {name}"
    state = Checkpoint.load(Path(name))
    trained = Trained.of(state)
    learner: Any = trained.learner
    problem = learner.problem
    if problem.kind != "classification":
        raise InputError(Problem(where, "predicts values; a search adapts learners of classes", "Name another."))
    if ":" in state.learner:
        what = f"is of {state.learner}, a learner of your own, which trials in processes of their own do not find"
        raise InputError(Problem(where, what, "`autometa fewshot list` names those that they do."))
    made = embeds(trained)
    numbers = numbers_of(trained)
    if numbers > OPTIONS.most_dimensions:
        what = f"adapts its whole network, and an image of {numbers:,} numbers is more than {OPTIONS.most_dimensions:,}"
        fix = "Train one whose network embeds an image whatever the task, such as protonet, or on smaller images."
        raise InputError(Problem(where, what, fix))
    rows = pixel_rows = OPTIONS.applied_rows
    if len(problem.shape) == 3:
        pixel_rows = min(rows, OPTIONS.applied_numbers // math.prod(problem.shape))
        rows = rows if made else pixel_rows
    steps = next((name for name in INNER_STEPS if isinstance(getattr(learner, name, None), int)), None)
    rate = getattr(learner, "rate", None)
    mark = content_of(state)
    file = (default_folder() if folder is None else folder) / f"{state.learner}_{mark}.npz"
    if not file.is_file():
        replace(state, weights={}, optimiser={}, random={}).save(file)
    return LearnerCard(
        name=f"{state.learner}_{mark}",
        learner=state.learner,
        file=str(file.resolve()),
        numbers=numbers,
        shape=tuple(problem.shape),
        tabular=trained.tabular,
        pixels=trained.pixels,
        embeds=made,
        ways=None if trained.any_way else problem.outputs,
        rows=rows,
        pixel_rows=pixel_rows,
        heads=has_features(trained),
        steps=None if steps is None else (steps, int(getattr(learner, steps))),
        rate=float(rate) if isinstance(rate, float) else None,
    )


def content_of(state: Any) -> str:
    """The beginning of a hash of what a learner is: its weights, options, and what it learned from."""
    said = {"learner": state.learner, "options": state.options, "problem": asdict(state.problem)}
    said["data"] = state.data.get("name")
    mark = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    for name in sorted(state.best):
        array = state.best[name].detach().cpu().numpy()
        mark.update(f"{name}{array.shape}{array.dtype}".encode())
        mark.update(array.tobytes())
    return mark.hexdigest()[:8]


def copy_into(origin: FamilyOrigin, run: Path) -> None:
    """Leaves the learner of a family in the folder of a run, so that the run needs no other file."""
    card = read_card(origin.source or "")
    private_folder(run / FOLDER)
    place = run / FOLDER / Path(card.file).name
    replace_file(place, Path(card.file).read_bytes())


def found_in(origin: FamilyOrigin, run: Path) -> FamilyOrigin:
    """The family, whose learner is read from the run where it is not where it was kept."""
    card = read_card(origin.source or "")
    place = run / FOLDER / Path(card.file).name
    if Path(card.file).is_file() or not place.is_file():
        return origin
    return replace(card, file=str(place.resolve())).origin


def encoder_files(record: str) -> list[Path]:
    """The files of an encoder, to be carried with a model to another machine.

    Raises:
        InputError: It is no file.

    Example:
        >>> encoder_files('{"encoder": "builtin"}'), encoder_files('{"encoder": "/tmp/net.onnx"}')[0].name
        ([], 'net.onnx')
    """
    said, files = json.loads(record), []
    for key in ("encoder", "learner"):
        name = str(said.get(key) or "")
        if name in ("", "builtin"):
            continue
        file = Path(name.removeprefix(LEARNER))
        if (not name.startswith(LEARNER) and not file.suffix) or ":" in name.removeprefix(LEARNER):
            what = "is no file, which could be carried with the model"
            raise InputError(Problem(f"encoder {name}", what, "Export it as ONNX, and fit with --encoder FILE.onnx."))
        files.append(file)
    return files


def encoder_in(record: str, run: Path) -> str:
    """What a model keeps of its encoder; of a learner, or a file, that is not where it was kept, that of the run.

    Example:
        >>> encoder_in('{"encoder": "builtin"}', Path("run"))
        '{"encoder": "builtin"}'
    """
    said = json.loads(record)
    for key in ("encoder", "learner"):
        name = str(said.get(key) or "")
        file = Path(name.removeprefix(LEARNER))
        for place in (run / FOLDER / file.name, run / FOLDER / f"{file.name}.npz"):
            if file.name and not file.is_file() and place.is_file():
                said[key] = f"{LEARNER if name.startswith(LEARNER) else ''}{place.resolve()}"
    return record if said == json.loads(record) else json.dumps(said)
