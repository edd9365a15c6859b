"""Vectors in a table: embeddings that an encoder made of images, texts or anything else.

A column whose cells are lists of as many numbers (a fixed-size list of parquet, an array in each cell) becomes columns
``emb_0``, ``emb_1`` and so on. Columns with such names are a vector together (`vector_groups`), by whatever way they
came: what learns on vectors asks for them by their names, so that a later table needs no more than the columns.

Law: a table without columns of lists is as it was.

Letters:  n rows · p numbers of a vector.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.archives import ends_as_table

_NUMBERED = re.compile(r"(.*?)[_.\- ]?(\d+)")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_PATH = re.compile(rb"\.(png|jpe?g|bmp|gif|webp|tiff?)(?=[\"',;\t|\r\n]|$)", re.IGNORECASE)
# What people call the columns of a vector; others that are numbered, such as questions of a survey, are none.
_CALLED = re.compile(r"emb|vec|latent|encod|(^|[_.\- ])(clip|bert|dino|resnet)", re.IGNORECASE)


def vector_groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The vectors among numeric columns: what each is called, and its columns in the order of their numbers.

    Their names say ``emb``, ``vec``, ``latent``, ``encod`` or an encoder's name before the number. Some numbers may
    lack, as those of columns that never vary do.

    Example:
        >>> found = vector_groups(["age", *(f"emb_{i}" for i in range(512)), "q1", "q2"])
        >>> {name: len(columns) for name, columns in found.items()}
        {'emb': 512}
    """
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is not None and _CALLED.search(match[1]):
            groups.setdefault(match[1], {}).setdefault(int(match[2]), name)
    fewest = OPTIONS.fewest_dimensions
    return {
        name: tuple(numbered[k] for k in sorted(numbered))
        for name, numbered in groups.items()
        if len(numbered) >= fewest and max(numbered) - min(numbered) < 2 * len(numbered)
    }


def may_have_images(data: Any) -> bool:
    """Whether this is a folder with images in it or in its sub-folders, or a text in which paths of images stand.

    A folder with a table in it is one of tables, whatever pictures lie beside it. A glance, that costs nothing where
    there are no images: what it says yes to is then looked at (`fewshot.embedded`).
    """
    if not isinstance(data, str | Path) or "://" in str(data) or str(data) == "-":
        return False
    path = Path(data)
    try:
        if path.is_dir():
            tables = (one.name for one in path.iterdir() if not one.name.lower().endswith((".txt", ".json", ".db")))
            if any(ends_as_table(name) for name in tables):
                return False
            return any(_images_in(one) for one in (path, *path.iterdir()) if not one.name.startswith((".", "_")))
        if path.suffix.lower() not in (".csv", ".tsv", ".txt", ".jsonl") or not path.is_file():
            return False
        with path.open("rb") as file:
            return _PATH.search(file.read(OPTIONS.sample_bytes)) is not None
    except OSError:  # whoever reads it says what is wrong
        return False


def _images_in(folder: Path) -> bool:
    return folder.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in folder.iterdir())


def told_vectors(names: Sequence[str]) -> tuple[str, ...]:
    """A sentence on the vectors among numeric columns; none where there are none."""
    found = [f"{name} ({len(columns)} columns)" for name, columns in vector_groups(names).items()]
    return (f"Embeddings, each taken as a whole by few-shot heads: {', '.join(found)}.",) if found else ()


def spread(frame: pd.DataFrame, findings: InputFindings | None = None, but: Collection[str] = ()) -> pd.DataFrame:
    """A table whose columns of vectors are columns of their numbers, in their place; a missing vector is all missing.

    Lists of several lengths, or of what are no numbers, stay what they are.

    Args:
        frame: (n, any) under unique names.
        findings: Told what was read so, and of vectors that are too long; None to tell nobody.
        but: Columns that stay as they are.

    Example:
        >>> spread(pd.DataFrame({"emb": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]}))
           emb_0  emb_1  y
        0    1.0    2.0  0
        1    3.0    4.0  1
    """
    objects = [i for i, dtype in enumerate(frame.dtypes) if dtype == np.object_ and frame.columns[i] not in but]
    found = {i: matrix for i in objects if (matrix := vectors_of(frame.iloc[:, i])) is not None}
    if not found:
        return frame
    parts: list[pd.DataFrame] = []
    taken = set(map(str, frame.columns))
    start = 0
    for i, matrix in found.items():
        name, width = str(frame.columns[i]), matrix.shape[1]
        names = [f"{name}_{k}" for k in range(width)]
        if width > OPTIONS.most_dimensions:
            if findings is not None:
                what = f"vectors of {width} numbers; {OPTIONS.most_dimensions} are the most"
                findings.at(f"column {name!r}").refuse(what, "Reduce them, or drop the column.")
            continue
        if not taken.isdisjoint(names):
            if findings is not None:
                what = f"vectors, and there are columns called {names[0]} and so on beside them"
                findings.at(f"column {name!r}").refuse(what, "Rename or drop one of them.")
            continue
        if findings is not None:
            findings.note(f"Column {name!r} holds vectors: read as the columns {names[0]} to {names[-1]}.")
        parts += [frame.iloc[:, start:i], pd.DataFrame(matrix, columns=names, index=frame.index)]
        start = i + 1
    return pd.concat([*parts, frame.iloc[:, start:]], axis=1)


def numbers_of(name: str, spread_table: pd.DataFrame) -> tuple[str, ...]:
    """The columns that a column of vectors has become; those of any other are itself.

    Example:
        >>> numbers_of("emb", spread(pd.DataFrame({"emb": [[1.0, 2.0], [3.0, 4.0]]})))
        ('emb_0', 'emb_1')
    """
    if name in spread_table:
        return (name,)
    pattern = re.compile(rf"{re.escape(name)}_\d+")
    return tuple(column for column in map(str, spread_table.columns) if pattern.fullmatch(column))


def vectors_of(column: pd.Series) -> NDArray[np.float64] | None:  # (n,) -> (n, p)
    """The vectors in the cells of a column, NaN where one is missing; None where they are no vectors of one length.

    Example:
        >>> vectors_of(pd.Series([[1, 2], None])).tolist()
        [[1.0, 2.0], [nan, nan]]
        >>> vectors_of(pd.Series([["a", "b"], ["c", "d"]]))
    """
    first: Any = next((cell for cell in column if not _is_missing(cell)), None)
    if not is_vector(first) or len(first) < 2:
        return None
    known = ~np.fromiter((_is_missing(cell) for cell in column), dtype=bool, count=len(column))
    cells = [cell for cell, there in zip(column, known, strict=True) if there]
    if any(not is_vector(cell) or len(cell) != len(first) for cell in cells):
        return None
    try:
        matrix = np.asarray([np.asarray(cell, dtype=np.float64) for cell in cells])
    except (TypeError, ValueError):
        return None
    out = np.full((len(column), len(first)), np.nan)
    out[known] = matrix
    return out


def is_vector(cell: Any) -> bool:
    """Whether a cell is a list, or an array of one dimension, of what may be numbers.

    Example:
        >>> is_vector([1.0, 2.0]), is_vector("12"), is_vector(["1", "2"])
        (True, False, False)
    """
    if isinstance(cell, np.ndarray):
        return cell.ndim == 1 and cell.dtype.kind in "fiubO" and (cell.dtype != object or _numbers(cell[:1]))
    return isinstance(cell, list | tuple) and _numbers(cell[:1])


def _numbers(cells: Any) -> bool:
    return all(isinstance(cell, int | float | np.number) or cell is None for cell in cells)


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell) or cell is pd.NA
