"""Images and texts as vectors, by a frozen encoder: each content once, whatever it is called and wherever it lies.

What was encoded is kept in a folder of the user's (`default_cache`; never in the store), under the encoder's
fingerprint and the hash of the content, a part at a time: an encoding that was stopped goes on where it was, and a
table that shares images with another encodes them once.

    examples    a folder CLASS/IMAGE or of images, or a table with a column of paths or of texts -> `ExampleTable`
    encoded     any of these -> vectors (n, p)
    written     a table with a column of vectors, as parquet

Letters:  n examples · p numbers of a vector.
"""

from __future__ import annotations

import hashlib
import os
import uuid
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa import files
from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.data.images import class_folders, image_files, seen_files
from autometa.fewshot.encoders import Encoder, Takes
from autometa.fewshot.evaluation import TellProgress
from autometa.fewshot.options import OPTIONS
from autometa.task.vectors import IMAGE_SUFFIXES

VECTOR = "emb"  # the column of the vectors


@dataclass(frozen=True, slots=True)
class ExampleTable:
    """What is to be encoded, and what stands beside it."""

    takes: Takes
    items: list[Any]  # (n,) files of images or what they hold, or texts; None where one is missing
    beside: pd.DataFrame  # (n, any): of a folder ``file`` and maybe ``label``, of a table its other columns
    column: str | None = None  # of a table: that of the paths or texts


def is_image_folder(path: Path) -> bool:
    """Whether a folder holds images: in sub-folders, each a class, or as they are."""
    return path.is_dir() and bool(image_files(path) or any(image_files(inner) for inner in class_folders(path)))


def examples(path: Path, *, column: str | None = None, takes: Takes | None = None, **reading: Any) -> ExampleTable:
    r"""What is to be encoded in a folder or a table.

    Args:
        path: A folder of images, in sub-folders by class or not; or a table that `autometa.task.read_table` reads.
        column: Of a table: that of the paths of images (beside the table's own folder) or of the texts; by default the
            one whose cells are such paths, else the longest texts.
        takes: Which of both; by default as the column is.
        **reading: Keywords of `read_table`.

    Raises:
        InputError: There is nothing of the kind; with every file that is not there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "notes.csv").write_text("note,label\na good day,1\na bad night,0\n")
        ...     found = examples(Path(folder) / "notes.csv")
        >>> found.takes, found.items, list(found.beside)
        ('texts', ['a good day', 'a bad night'], ['label'])
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise InputError(Problem(str(path), "does not exist", "Name a folder of images, or a table."))
    from autometa.task import read_table

    frame, _ = read_table(path, **reading)
    return of_table(frame, path, column=column, takes=takes)


def of_table(frame: pd.DataFrame, path: Path, *, column: str | None = None, takes: Takes | None = None) -> ExampleTable:
    """`examples` of a table that was read from `path`."""
    names = [str(name) for name in frame.columns]
    if column is not None and column not in names:
        raise InputError(Problem(str(path), f"no column {column!r}", did_you_mean(column, names)))
    chosen = column or path_column(frame)
    if chosen is None:
        chosen = _longest(frame)
        if chosen is None or takes == "images":
            what = f"no column of {'paths of images' if takes == 'images' else 'paths of images or of texts'}"
            raise InputError(Problem(str(path), what, f"Columns: {', '.join(names[:20])}."))
    cells = [None if _is_missing(cell) else str(cell) for cell in frame[chosen]]
    kind: Takes = takes or ("images" if _are_paths(cells) else "texts")
    beside = frame.drop(columns=[chosen])
    if kind == "texts":
        return ExampleTable(kind, cells, beside, chosen)
    found = [None if cell is None else _located(cell, path.parent) for cell in cells]
    absent = [cell for cell, file in zip(cells, found, strict=True) if cell is not None and file is None]
    if absent:
        shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        fix = f"Paths begin at {path.parent}, or here."
        raise InputError(Problem(str(path), f"{len(absent)} images are not there: {shown}", fix))
    return ExampleTable(kind, found, beside, chosen)


def encoded(
    table: ExampleTable,
    encoder: Encoder,
    *,
    cache: Path | None = None,
    keep: bool = True,
    batch: int = OPTIONS.encoded_at_once,
    tell: TellProgress = lambda done, total, text: None,
) -> NDArray[np.float32]:  # (n, p)
    """A vector of each example; NaN where there is none.

    Args:
        table: The examples.
        encoder: What encodes them.
        cache: The folder in which vectors are kept; None for `default_cache`.
        keep: Whether they are kept, and those that were kept are taken.
        batch: How many are encoded at once.
        tell: Progress: done, of how many.

    Raises:
        InputError: Files cannot be read, all of which are named; or the encoder cannot take them. What was encoded
            until then is kept.

    See Also:
        `find_encoder`, `examples`.
    """
    kept = VectorCache(cache or default_cache() if keep else None, encoder)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        keys = list(pool.map(_content, table.items))
    of_key = {key: item for key, item in zip(keys, table.items, strict=True) if key is not None}
    left = [key for key in of_key if key not in kept.vectors]
    known, wrong, done = len(of_key) - len(left), list[Problem](), 0
    fresh: dict[str, NDArray[np.float32]] = {}
    try:
        for start in range(0, len(left), batch):
            some = left[start : start + batch]
            try:
                made = encoder.encode([of_key[key] for key in some])
                fresh.update(zip(some, made, strict=True))
            except InputError as error:
                if any(problem.where.startswith("encoder") for problem in error.problems):
                    raise
                wrong += error.problems
            done += len(some)
            if len(fresh) >= OPTIONS.kept_at_once:
                kept.add(fresh)
                fresh = {}
            tell(known + done, len(of_key), f"{known} were encoded before" if known else "")
    finally:
        if fresh:
            kept.add(fresh)
    if wrong:
        raise InputError(wrong)
    widths = {len(kept.vectors[key]) for key in of_key}
    if len(widths) != 1:
        what = "no example to encode" if not widths else f"makes vectors of {len(widths)} lengths"
        raise InputError(Problem(f"encoder {encoder.name}", what))
    out = np.full((len(keys), widths.pop()), np.nan, dtype=np.float32)
    for i, key in enumerate(keys):
        if key is not None:
            out[i] = kept.vectors[key]
    return out


def with_vectors(table: ExampleTable, vectors: NDArray[np.float32], name: str = VECTOR) -> pd.DataFrame:
    """The columns beside, and one of vectors."""
    cells = [None if np.isnan(vector).all() else vector for vector in vectors]
    return table.beside.assign(**{name: pd.Series(cells, index=table.beside.index, dtype=object)})


def written(table: ExampleTable, vectors: NDArray[np.float32], out: Path) -> None:
    """Writes `with_vectors` as parquet, whole or not at all, which `fit` and ``fewshot --data vectors`` read.

    Raises:
        OSError: It cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(out) as temporary:
        with_vectors(table, vectors).to_parquet(temporary, index=False)


def default_cache() -> Path:
    """Where vectors are kept: ``autometa/vectors`` in the user's folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autometa" / "vectors"


class VectorCache:
    """Vectors by the hash of their content, of one encoder; files are only added, so that processes may share it.

    Example:
        >>> import tempfile
        >>> from autometa.fewshot.encoders import find_encoder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     VectorCache(Path(folder), find_encoder(None, "texts")).add({"ab": np.zeros(4, np.float32)})
        ...     list(VectorCache(Path(folder), find_encoder(None, "texts")).vectors)
        ['ab']
    """

    def __init__(self, folder: Path | None, encoder: Encoder) -> None:
        """Reads what is there; a part that is damaged is made again. Without a folder nothing outlives it."""
        mark = hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:32]
        self.folder = None if folder is None else folder / mark
        self.vectors: dict[str, NDArray[np.float32]] = {}
        for part in () if self.folder is None else sorted(self.folder.glob("*.npz")):
            try:
                with np.load(part, allow_pickle=False) as file:
                    self.vectors.update(zip(file["keys"].tolist(), file["x"].astype(np.float32), strict=True))
            except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
                part.unlink(missing_ok=True)

    def add(self, vectors: dict[str, NDArray[np.float32]]) -> None:
        """Keeps some more.

        Raises:
            OSError: They cannot be written.
        """
        self.vectors.update(vectors)
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with files.whole(self.folder / f"{uuid.uuid4().hex}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, keys=np.array(list(vectors)), x=np.stack(list(vectors.values())))


def path_column(frame: pd.DataFrame) -> str | None:
    """The first column whose cells are paths of images."""
    for name in frame.columns:
        column = frame[name]
        if column.dtype == np.object_ or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype):
            cells = [str(cell) for cell in column if not _is_missing(cell)]
            if _are_paths(cells):
                return str(name)
    return None


def _of_folder(path: Path) -> ExampleTable:
    labelled = [(file, folder.name) for folder in class_folders(path) for file in image_files(folder)]
    if labelled:
        items = [file for file, _ in labelled]
        beside = {"file": [str(file.relative_to(path)) for file in items], "label": [label for _, label in labelled]}
        return ExampleTable("images", items, pd.DataFrame(beside))
    items = seen_files(path.rglob("*"), path)
    if not items:
        raise InputError(Problem(str(path), "no images in it", f"Known suffixes: {', '.join(IMAGE_SUFFIXES)}."))
    return ExampleTable("images", items, pd.DataFrame({"file": [str(file.relative_to(path)) for file in items]}))


def _longest(frame: pd.DataFrame) -> str | None:
    """The column of text whose cells are longest, of ten letters on average at least."""
    found = {
        str(name): float(np.mean([len(cell) for cell in cells]))
        for name in frame.columns
        if (cells := [cell for cell in frame[name] if isinstance(cell, str)]) and len(cells) * 2 > len(frame)
    }
    best = max(found, key=lambda name: found[name], default=None)
    return best if best is not None and found[best] >= OPTIONS.text_letters else None


def _are_paths(cells: Sequence[str | None]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(cell.lower().endswith(IMAGE_SUFFIXES) for cell in known)


def _located(cell: str, folder: Path) -> Path | None:
    return next((file for file in (folder / cell, Path(cell)) if file.is_file()), None)


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)


def _content(item: Path | bytes | str | None) -> str | None:
    if item is None:
        return None
    if isinstance(item, bytes):
        return hashlib.sha256(item).hexdigest()
    if isinstance(item, str):
        return hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()
    with item.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
