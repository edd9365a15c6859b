"""Vectors: embeddings of images, texts or anything else, as an encoder of one's own made them.

    .npz       arrays ``x`` (n, p) and ``y`` (n,), and maybe ``domain`` and ``split``
    parquet    a column of lists of one length, or p columns ``emb_0``, ``emb_1`` and so on
    CSV        p such columns
               with columns of the label (label, class, target or y) and maybe ``domain`` and ``split``

Columns are put in the order of their numbers, wherever they stand. `split` says train, val or test of each class; where
it lacks, classes are shared out (`arrays`).

Letters:  n examples · p numbers of each.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.data.arrays import from_arrays
from autometa.fewshot.data.source import Data, whole_option
from autometa.fewshot.options import OPTIONS

VECTORS = ("label", "domain", "split", "way")  # options: names of columns, and classes of an episode
LABELS = ("label", "class", "target", "y")
WHERE_VECTORS = (
    "Give an .npz file with x (n, p) and y (n,), or a table with a column of lists or columns emb_0, emb_1, ... and a "
    "label."
)


class VectorTable(NamedTuple):
    """A file of vectors as it was read."""

    x: NDArray[np.float32]  # (n, p)
    y: NDArray[Any] | None  # (n,)
    domain: NDArray[Any] | None
    split: NDArray[Any] | None
    names: list[str]  # (n,) of the column ``name`` or ``file``, else row numbers


def vectors(path: str | None, options: dict[str, Any]) -> Data:
    """Three splits of a file; options: names of the columns ``label``, ``domain``, ``split``, and ``way``."""
    if path is None or not Path(path).is_file():
        what = "no --path was given" if path is None else f"{path} is no file"
        raise InputError(Problem("vectors", what, WHERE_VECTORS))
    way = whole_option("vectors", options, "way", 5, 2)
    named = {name: str(options[name]) for name in VECTORS[:3] if name in options}
    found = read_vectors(Path(path), labelled=True, **named)
    assert found.y is not None
    return from_arrays(found.x, found.y, domain=found.domain, split=found.split, way=way, name="vectors")


def read_vectors(
    path: Path, *, labelled: bool, label: str | None = None, domain: str | None = None, split: str | None = None
) -> VectorTable:
    """Reads a file of vectors.

    Args:
        path: ``.npz``, parquet, or a delimited text.
        labelled: Whether a label is needed.
        label: The column, or array, of the label; by default the first of `LABELS`.
        domain: That of the domain; by default ``domain``, if it is there.
        split: That of the split; by default ``split``, if it is there.

    Raises:
        InputError: The file is missing, or holds no such vectors; with everything that is wrong.
    """
    if not path.is_file():
        raise InputError(Problem(str(path), "does not exist", WHERE_VECTORS))
    columns = _arrays(path) if path.suffix.lower() == ".npz" else _columns(path)
    wrong: list[Problem] = []

    def column(asked: str | None, usual: tuple[str, ...], needed: bool) -> str | None:
        found = asked if asked is not None else next((name for name in usual if name in columns), None)
        if (found is None and needed) or (asked is not None and asked not in columns):
            words = f"no column {asked!r}" if asked is not None else f"no label: none of {', '.join(usual)}"
            fix = did_you_mean(asked or usual[0], list(columns)) or f"It holds {', '.join(list(columns)[:8])}."
            wrong.append(Problem(str(path), words, fix))
            return None
        return found

    y_name = column(label, LABELS, labelled)
    others = [column(domain, ("domain",), False), column(split, ("split",), False)]
    x: NDArray[np.float32] | None = None
    try:
        x = _vectors({name: cells for name, cells in columns.items() if name not in (y_name, *others)})
    except ValueError as error:
        wrong.append(Problem(str(path), str(error), WHERE_VECTORS))
    if wrong or x is None:
        raise InputError(wrong)
    wrong += [
        Problem(str(path), f"{len(x)} vectors and {len(columns[name])} of {name}")
        for name in (y_name, *others)
        if name is not None and len(columns[name]) != len(x)
    ]
    lost = np.flatnonzero(~np.isfinite(x).all(1))
    if len(lost):
        at = ", ".join(map(str, lost[:5]))
        wrong.append(Problem(str(path), f"NaN or infinity in {len(lost)} vectors (row {at})", "Fill or drop them."))
    if not len(x):
        wrong.append(Problem(str(path), "is empty"))
    if wrong:
        raise InputError(wrong)
    y, domains, splits = (None if name is None else columns[name] for name in (y_name, *others))
    by = next((columns[name] for name in ("name", "file") if name in columns and name != y_name), None)
    return VectorTable(x, y, domains, splits, [str(cell) for cell in (range(len(x)) if by is None else by)])


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(Problem(str(path), f"is no .npz file of plain arrays ({error})", WHERE_VECTORS)) from error


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InputError(Problem(str(path), f"cannot be read as parquet ({error})")) from error
    else:
        from autometa.task import read_table

        frame, _ = read_table(path)
    return {str(name): frame[name].to_numpy() for name in frame}


def _vectors(columns: dict[str, NDArray[Any]]) -> NDArray[np.float32]:  # (n, p)
    """The vectors among some columns; ValueError says why there are none."""
    matrices = [name for name, cells in columns.items() if cells.ndim == 2 and cells.dtype.kind in "fiub"]
    lists = [name for name, cells in columns.items() if cells.ndim == 1 and len(cells) and _is_list(cells[0])]
    if len(matrices) + len(lists) > 1:
        raise ValueError(f"several columns of vectors: {', '.join(matrices + lists)}; leave one")
    if matrices:
        return _narrow(columns[matrices[0]].astype(np.float32))
    if lists:
        cells = columns[lists[0]]
        lengths = sorted({len(cell) if _is_list(cell) else 0 for cell in cells})
        if len(lengths) > 1:
            raise ValueError(f"vectors of {len(lengths)} lengths in {lists[0]}: {', '.join(map(str, lengths[:4]))}")
        try:
            return _narrow(np.array([np.asarray(cell, dtype=np.float32) for cell in cells]))
        except (TypeError, ValueError):
            raise ValueError(f"{lists[0]} holds lists of what are no numbers") from None
    groups: dict[str, dict[int, str]] = {}
    for name, cells in columns.items():
        match = re.fullmatch(r"(.*?)[_.-]?(\d+)", name)
        if match is not None and cells.ndim == 1 and cells.dtype.kind in "fiub":
            groups.setdefault(match[1], {})[int(match[2])] = name
    if not groups:
        raise ValueError("no vectors")
    _, numbered = max(groups.items(), key=lambda pair: len(pair[1]))
    order = sorted(numbered)
    if order != list(range(order[0], order[0] + len(order))) or order[0] not in (0, 1):
        lacking = next(k for k in range(order[-1]) if k not in numbered and k != 0)
        raise ValueError(f"column {numbered[order[-1]]} is there, and number {lacking} is not")
    return _narrow(np.column_stack([columns[numbered[k]].astype(np.float32) for k in order]))


def _narrow(x: NDArray[np.float32]) -> NDArray[np.float32]:
    if x.shape[1] > OPTIONS.most_dimensions:
        raise ValueError(f"{x.shape[1]} numbers a vector; {OPTIONS.most_dimensions} are the most")
    return x


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray) and np.ndim(cell) == 1
