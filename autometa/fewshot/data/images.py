"""Any folder of images, in the layouts people have.

    ROOT/train.csv, val.csv, test.csv      columns filename,label (mini-ImageNet's lists); images in ROOT/images or ROOT
    ROOT/splits.csv                        columns class,split and maybe domain (Meta-Dataset's lists);
                                           images in ROOT/[DOMAIN/]CLASS/
    ROOT/train/CLASS/, val/, test/         no list at all

All images have one size, or `size` says to which they are scaled. Hidden files and folders are left out. A photograph
is turned as its camera says, what is transparent is white, and 16 bits are scaled to 8. Reading needs Pillow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.data.source import Data
from autometa.task.vectors import IMAGE_SUFFIXES

SPLITS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
WHERE_IMAGES = (
    "A folder of images with train.csv, val.csv and test.csv (columns filename,label), with splits.csv (class,split), "
    "or with subfolders train/CLASS, val/CLASS, test/CLASS. mini-ImageNet's lists are in "
    "github.com/twitter-research/meta-learning-lstm (the images are ImageNet's), Meta-Dataset's in "
    "github.com/google-research/meta-dataset."
)
Listed = dict[str, list[tuple[str, str, Path]]]  # split -> (domain, class, file)
DEPTH = 16  # bits of a pixel that a file of more than 8 is taken to hold


@dataclass(frozen=True, slots=True)
class HowRead:
    """How files become pixels: as in training, for whoever is asked later."""

    size: int | None = None  # to which they are scaled; None: they have one size
    grey: bool = False  # whether there is one channel instead of three
    bits: int = DEPTH  # of a pixel in files of 16: 12 where white is 4,095

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> HowRead:
        """From the options of a data set, which may be text.

        Raises:
            InputError: With everything that they cannot be.
        """
        read, wrong = dict(options), []
        for name, least, most in (("size", 1, 4096), ("bits", 9, DEPTH)):
            if read.get(name) is None:
                continue
            try:
                read[name] = int(str(read[name]))
            except ValueError:
                wrong.append(Problem(f"images: {name}", f"{read[name]!r} is not a whole number"))
                continue
            if not least <= read[name] <= most:
                wrong.append(Problem(f"images: {name}", f"{read[name]} is not between {least} and {most}"))
        grey = str(read.get("grey", False)).lower()
        if grey not in ("true", "yes", "1", "false", "no", "0"):
            wrong.append(Problem("images: grey", f"{grey!r} is neither true nor false"))
        if wrong:
            raise InputError(wrong)
        bits = DEPTH if read.get("bits") is None else read["bits"]
        return cls(read.get("size"), grey in ("true", "yes", "1"), bits)


def images(path: str | None, options: dict[str, Any]) -> Data:
    """Three splits of a folder; options: ``size`` to scale to, ``grey`` for one channel, ``bits`` of 16-bit files."""
    if path is None or not Path(path).is_dir():
        what = "no --path was given" if path is None else f"{path} is not a folder"
        raise InputError(Problem("images", what, WHERE_IMAGES))
    root, how = Path(path), HowRead.of(options)
    listed = _by_lists(root) or _by_classes(root) or _by_folders(root)
    lacking = [split for split in SPLITS if not listed.get(split)]
    if lacking:
        raise InputError(Problem(str(root), f"no images for {', '.join(lacking)}", WHERE_IMAGES))
    absent = [str(file) for rows in listed.values() for _, _, file in rows if not file.is_file()]
    if absent:
        raise InputError(Problem(str(root), f"{len(absent)} listed images are not there, such as {absent[0]}"))
    read = [_classes(listed[split], how) for split in SPLITS]
    shapes = {tuple(part.x.shape[1:]) for part in read}
    if len(shapes) > 1:
        fix = "Give --data-option size=N to scale them."
        raise InputError(Problem(str(root), f"splits of different sizes: {shapes}", fix))
    return Data("images", read[0], read[1], read[2])


def read_images(
    files: Sequence[Path | bytes], *, size: int | None, grey: bool, bits: int = DEPTH
) -> NDArray[np.uint8]:  # (n, ch, h, w)
    """Images as numbers from 0, black, to 255, white.

    Args:
        files: Each holds one image, or is what such a file holds; of an animation the first counts.
        size: Side of the square to which all are scaled; None where they have one size.
        grey: Whether one channel is wanted instead of three.
        bits: Of a pixel in files of 16 bits.

    Raises:
        InputError: Pillow is missing, files cannot be read, hold what is no picture, or more than `bits`, or sizes are
            mixed and no `size` is given.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise InputError(Problem("images", "reading them needs Pillow", "pip install pillow")) from error
    found, wrong = [], []
    sizes: dict[tuple[int, int], str] = {}
    for number, file in enumerate(files, start=1):
        name = f"image {number}" if isinstance(file, bytes) else str(file)
        try:
            with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
                picture = _eight_bits(ImageOps.exif_transpose(image), bits).convert("L" if grey else "RGB")
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            wrong.append(Problem(name, f"cannot be read as an image ({error})"))
            continue
        except ValueError as error:
            wrong.append(Problem(name, str(error)))
            continue
        if size is not None:
            picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        sizes.setdefault(picture.size, Path(name).name)
        array = np.asarray(picture, dtype=np.uint8)
        found.append(array[None] if grey else array.transpose(2, 0, 1))
    if len(sizes) > 1:
        shown = "; ".join(f"{w} x {h} ({one})" for (w, h), one in list(sizes.items())[:4])
        fix = "Give --data-option size=N when training, to scale them all."
        wrong.append(Problem("images", f"{len(sizes)} different sizes: {shown}", fix))
    if wrong:
        raise InputError(wrong)
    return np.stack(found)


def _eight_bits(picture: Any, bits: int) -> Any:
    """A picture of 8 bits a channel, without transparency; ValueError says why there is none."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("holds floating-point numbers, whose black and white nothing says; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        deep = np.asarray(picture).astype(np.int64)
        most = (1 << bits) - 1
        if deep.min() < 0 or deep.max() > most:
            what = f"holds numbers from {deep.min():,} to {deep.max():,}, and white is {most:,}"
            raise ValueError(f"{what} with {bits} bits a pixel; bits=16 (--data-option when training) is the most")
        return Image.fromarray(np.round(deep * (255 / most)).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, picture)
    return picture


def is_hidden(path: Path) -> bool:
    """Whether a name is one that systems and programs leave beside what people made."""
    return path.name.startswith(".") or path.name in ("__MACOSX", "Thumbs.db", "@eaDir", "lost+found")


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder that are not hidden, sorted by name."""
    return [inner for inner in sorted(folder.glob("*/")) if not is_hidden(inner)]


def seen_files(files: Iterable[Path], root: Path) -> list[Path]:
    """Those of some files that are images, hidden neither by their name nor by that of a folder below `root`."""
    return sorted(
        file
        for file in files
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not any(is_hidden(Path(part)) for part in file.relative_to(root).parts)
    )


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder, sorted by name, without hidden ones and those of its subfolders."""
    return seen_files(folder.iterdir(), folder)


def _classes(rows: list[tuple[str, str, Path]], how: HowRead) -> Classes:
    members: dict[tuple[str, str], list[int]] = {}
    for i, (domain, name, _) in enumerate(rows):
        members.setdefault((domain, name), []).append(i)
    pixels = read_images([file for *_, file in rows], size=how.size, grey=how.grey, bits=how.bits)
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
            for folder in class_folders(root / spelling):
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
