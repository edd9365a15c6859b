"""Support and query as people have them: a table, an ``.npz`` file, a folder of images.

    table     support: CSV with a column of labels (`target`, else target, class, label or y, else the last)
    .npz      support: arrays ``x`` and ``y``; query: ``x``
    folder    support: CLASS/IMAGE; query: images, in subfolders or not

Each example keeps its file name or row number, by which its answer is known.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.images import (
    HowRead,
    class_folders,
    image_files,
    read_images,
    seen_files,
)
from autometa.fewshot.data.omniglot import SIDE
from autometa.fewshot.data.vectors import read_vectors
from autometa.fewshot.episode import EpisodeSpec
from autometa.fewshot.labels import aligned
from autometa.moved import former
from autometa.task.vectors import IMAGE_SUFFIXES

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

VECTOR_DATA = ("vectors",)
LABEL_COLUMNS = ("target", "class", "label", "y")


class ExampleSet(NamedTuple):
    """A support or query set as it was read."""

    x: NDArray[Any]  # (n, *shape)
    y: NDArray[Any] | None  # (n,)
    names: list[str]  # (n,) file names, or row numbers
    columns: tuple[str, ...] | None = None  # names of a table's columns, without the label's
    label: str | None = None  # the column that the labels were in


def read_examples(
    path: Path,
    problem: EpisodeSpec,
    *,
    labelled: bool,
    target: str | None = None,
    support: ExampleSet | None = None,
    data: Mapping[str, Any] | None = None,
) -> ExampleSet:
    """Reads a support or query set for a learner of `problem`.

    Args:
        path: A table, an ``.npz`` file or a folder of images.
        problem: What the learner was trained for.
        labelled: Whether labels are needed: of a support set.
        target: The column of the labels in a table; by default one of `LABEL_COLUMNS`, or the last of a support set.
        support: For a query set, the support set it belongs to: its columns are found by their names.
        data: What the checkpoint says of the data of its training: images are read as they were there.

    Raises:
        InputError: The file is missing or cannot be such a set; says why.
    """
    if not path.exists():
        raise InputError(Problem(str(path), "does not exist"))
    if path.is_dir():
        return _folder(path, problem, labelled, data or {})
    if data is not None and data.get("name") in VECTOR_DATA:
        named = target or (data.get("options") or {}).get("label")
        found = read_vectors(path, labelled=labelled, label=named if labelled else None)
        return ExampleSet(found.x, found.y if labelled else None, found.names)
    if path.suffix.lower() == ".npz":
        return _arrays(path, labelled)
    if len(problem.shape) == 3:
        what = "is no folder and no .npz file, and the learner was trained on images"
        raise InputError(Problem(str(path), what))
    return _table(path, labelled, target, support)


def _folder(path: Path, problem: EpisodeSpec, labelled: bool, data: Mapping[str, Any]) -> ExampleSet:
    if len(problem.shape) != 3:
        raise InputError(Problem(str(path), "is a folder of images, but the learner was trained on vectors"))
    if labelled:
        files = [file for folder in class_folders(path) for file in image_files(folder)]
    else:
        files = seen_files(path.rglob("*"), path)
    if not files:
        what = "no images in subfolders named by class" if labelled else "no images"
        raise InputError(Problem(str(path), what, f"Known suffixes: {', '.join(IMAGE_SUFFIXES)}."))
    how = HowRead.of(data.get("options") or {}) if data.get("name") == "images" else HowRead()
    size = how.size or (SIDE if str(data.get("name")).startswith("omniglot") else None)
    x = read_images(files, size=size, grey=problem.shape[0] == 1, bits=how.bits)
    y = np.array([file.parent.name for file in files]) if labelled else None
    return ExampleSet(x, y, [str(file.relative_to(path)) for file in files])


def _arrays(path: Path, labelled: bool) -> ExampleSet:
    wanted = ("x", "y") if labelled else ("x",)
    try:
        with np.load(path, allow_pickle=False) as file:
            lacking = [name for name in wanted if name not in file.files]
            if lacking:
                raise InputError(
                    Problem(str(path), f"no array {' and '.join(lacking)}", f"It holds {', '.join(file.files)}.")
                )
            x, y = file["x"], file["y"] if labelled else None
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(Problem(str(path), f"is no .npz file of plain arrays ({error})")) from error
    return ExampleSet(x, y, [str(i) for i in range(len(x))])


def _table(path: Path, labelled: bool, target: str | None, support: ExampleSet | None) -> ExampleSet:
    from autometa.task import read_table

    frame, _ = read_table(path)
    y = None
    if target is not None and target not in frame and labelled:
        raise InputError(Problem(str(path), f"no column {target!r}", f"Columns: {', '.join(map(str, frame.columns))}."))
    column = target if target is not None else next((n for n in LABEL_COLUMNS if n in frame), frame.columns[-1])
    if not labelled and support is not None and support.label is not None:
        column = target = support.label
    if labelled:
        y = frame[column].to_numpy()
    if labelled or (column in frame and (target is not None or column in LABEL_COLUMNS)):
        frame = frame.drop(columns=[column])
    if support is not None:
        found = aligned(frame, [str(name) for name in frame], support.columns, str(path))
        if isinstance(found, list):
            raise InputError(found)
        frame = found
    words = [str(name) for name in frame if frame[name].dtype.kind not in "fiub"]
    if words:
        raise InputError(
            Problem(str(path), f"columns that are not numbers: {', '.join(words[:5])}", "Encode or drop them.")
        )
    x = frame.to_numpy(np.float64, na_value=np.nan)
    return ExampleSet(
        x, y, [str(i) for i in range(len(frame))], tuple(map(str, frame)), str(column) if labelled else None
    )
