"""Any folder of images, in the layouts people have.

    ROOT/train.csv, val.csv, test.csv      columns filename,label (mini-ImageNet's lists); images in ROOT/images or ROOT
    ROOT/splits.csv                        columns class,split and maybe domain (Meta-Dataset's lists);
                                           images in ROOT/[DOMAIN/]CLASS/
    ROOT/train/CLASS/, val/, test/         no list at all

All images have one size, or `size` says to which they are scaled. Reading needs Pillow.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.data.source import Data

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
SPLITS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
WHERE_IMAGES = (
    "A folder of images with train.csv, val.csv and test.csv (columns filename,label), with splits.csv (class,split), "
    "or with subfolders train/CLASS, val/CLASS, test/CLASS. mini-ImageNet's lists are in "
    "github.com/twitter-research/meta-learning-lstm (the images are ImageNet's), Meta-Dataset's in "
    "github.com/google-research/meta-dataset."
)
Listed = dict[str, list[tuple[str, str, Path]]]  # split -> (domain, class, file)


def images(path: str | None, options: dict[str, Any]) -> Data:
    """Three splits of a folder; options: ``size`` to scale to, ``grey`` for one channel."""
    if path is None or not Path(path).is_dir():
        what = "no --path was given" if path is None else f"{path} is not a folder"
        raise InputError(Problem("images", what, WHERE_IMAGES))
    root = Path(path)
    listed = _by_lists(root) or _by_classes(root) or _by_folders(root)
    lacking = [split for split in SPLITS if not listed.get(split)]
    if lacking:
        raise InputError(Problem(str(root), f"no images for {', '.join(lacking)}", WHERE_IMAGES))
    absent = [str(file) for rows in listed.values() for _, _, file in rows if not file.is_file()]
    if absent:
        raise InputError(Problem(str(root), f"{len(absent)} listed images are not there, such as {absent[0]}"))
    size = options.get("size")
    read = [
        _classes(listed[split], None if size is None else int(size), bool(options.get("grey", False)))
        for split in SPLITS
    ]
    shapes = {tuple(part.x.shape[1:]) for part in read}
    if len(shapes) > 1:
        raise InputError(Problem(str(root), f"splits of different sizes: {shapes}", "Give --size to scale them."))
    return Data("images", read[0], read[1], read[2])


def read_images(files: Sequence[Path], *, size: int | None, grey: bool) -> NDArray[np.uint8]:  # (n, ch, h, w)
    """Images as numbers.

    Raises:
        InputError: Pillow is missing, files cannot be read, or sizes are mixed and no `size` is given.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError(Problem("images", "reading them needs Pillow", "pip install pillow")) from error
    found, wrong = [], []
    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        try:
            with Image.open(file) as image:
                picture = image.convert("L" if grey else "RGB")
        except (UnidentifiedImageError, OSError) as error:
            wrong.append(Problem(str(file), f"cannot be read as an image ({error})"))
            continue
        if size is not None:
            picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        sizes.setdefault(picture.size, file)
        array = np.asarray(picture, dtype=np.uint8)
        found.append(array[None] if grey else array.transpose(2, 0, 1))
    if len(sizes) > 1:
        shown = "; ".join(f"{w} x {h} ({file.name})" for (w, h), file in list(sizes.items())[:4])
        wrong.append(Problem("images", f"{len(sizes)} different sizes: {shown}", "Give --size N to scale them all."))
    if wrong:
        raise InputError(wrong)
    return np.stack(found)


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder, sorted by name, without those of its subfolders."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def _classes(rows: list[tuple[str, str, Path]], size: int | None, grey: bool) -> Classes:
    members: dict[tuple[str, str], list[int]] = {}
    for i, (domain, name, _) in enumerate(rows):
        members.setdefault((domain, name), []).append(i)
    pixels = read_images([file for *_, file in rows], size=size, grey=grey)
    domains, names = zip(*members, strict=True)
    return Classes(torch.from_numpy(pixels), tuple(np.array(m) for m in members.values()), tuple(names), tuple(domains))


def _by_lists(root: Path) -> Listed:
    listed: Listed = {}
    for split, spellings in SPLITS.items():
        for spelling in spellings:
            file = root / f"{spelling}.csv"
            if not file.is_file():
                continue
            folder = root / "images" if (root / "images").is_dir() else root
            for row in _rows(file, ("filename", "label")):
                listed.setdefault(split, []).append(
                    (row.get("domain") or root.name, row["label"], folder / row["filename"])
                )
    return listed


def _by_classes(root: Path) -> Listed:
    file = root / "splits.csv"
    if not file.is_file():
        return {}
    listed: Listed = {}
    spelled = {spelling: split for split, spellings in SPLITS.items() for spelling in spellings}
    for row in _rows(file, ("class", "split")):
        domain = row.get("domain") or ""
        folder = root / domain / row["class"]
        if not folder.is_dir():
            raise InputError(Problem(str(file), f"class {row['class']!r} has no folder {folder}"))
        if row["split"] not in spelled:
            raise InputError(Problem(str(file), f"split {row['split']!r} is not known", "train, val or test."))
        part = listed.setdefault(spelled[row["split"]], [])
        part += [(domain or root.name, row["class"], picture) for picture in image_files(folder)]
    return listed


def _by_folders(root: Path) -> Listed:
    listed: Listed = {}
    for split, spellings in SPLITS.items():
        for spelling in spellings:
            for folder in sorted((root / spelling).glob("*/")):
                part = listed.setdefault(split, [])
                part += [(root.name, folder.name, picture) for picture in image_files(folder)]
    return listed


def _rows(file: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        lacking = [name for name in needed if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(Problem(str(file), f"no column {', '.join(lacking)}", f"It needs {', '.join(needed)}."))
        return list(reader)
