"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings each, at 28 x 28.

``omniglot`` is the protocol of most papers: Vinyals' split (1,028 characters for training, 172 for validation, 423
for the test), each turned by quarters to make four classes. ``omniglot_lake`` draws all classes of an episode from one
alphabet, unturned, in Lake's split of alphabets (30 background, 20 evaluation), which is much harder; of the
background, the last five alphabets are kept for validation.

A file is an ``.npz`` with ``images`` (n, 28, 28) uint8, ``label``, ``class_name``, ``alphabet_name`` and ``alphabet``
(per drawing) and the splits ``vinyals_split`` (0, 1, 2) and ``lake_split`` (0, 1) per class. A folder is the published
one, ``images_background`` and ``images_evaluation``, each ALPHABET/CHARACTER/*.png: in it, lacking Vinyals' own list,
the characters are split in those proportions by a fixed shuffle.

Sources: Lake, Salakhutdinov and Tenenbaum, 2015; Vinyals et al., 2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.classes import Classes, grouped
from autometa.fewshot.data.images import class_folders, image_files, read_images
from autometa.fewshot.data.source import Data
from autometa.fewshot.options import OPTIONS

SIDE = 28
TRAIN, VALIDATION = 1028, 172  # characters
WHERE_OMNIGLOT = (
    "Get images_background.zip and images_evaluation.zip from github.com/brendenlake/omniglot (folder python), unpack "
    "both into one folder, and give it as --path."
)


def omniglot(path: str | None, options: dict[str, Any]) -> Data:
    """Omniglot by Vinyals' split, every character in four turns; `path` is a file or folder."""
    images, label, names, alphabets, split, _ = _read(path)
    parts = [_classes(images, label, names, alphabets, split == k, 4) for k in range(3)]
    return Data("omniglot", parts[0], parts[1], parts[2])


def omniglot_lake(path: str | None, options: dict[str, Any]) -> Data:
    """Omniglot by Lake's split, every episode within one alphabet; `path` is a file or folder."""
    images, label, names, alphabets, _, lake = _read(path)
    background = list(dict.fromkeys(a for a, held in zip(alphabets, lake, strict=True) if held == 0))
    held = np.array([a in background[-OPTIONS.held_alphabets :] for a in alphabets])
    wanted = [(lake == 0) & ~held, (lake == 0) & held, lake == 1]
    parts = [_classes(images, label, names, alphabets, keep, 1) for keep in wanted]
    return Data("omniglot_lake", parts[0], parts[1], parts[2], within_domain=True)


def _classes(
    images: NDArray[np.uint8],
    label: NDArray[Any],
    names: list[str],
    alphabets: list[str],
    keep: NDArray[np.bool_],
    turns: int,
) -> Classes:
    rows = grouped(label, keep[label])
    if not rows:
        raise InputError(Problem("omniglot", "a split has no drawings", WHERE_OMNIGLOT))
    used = np.concatenate(list(rows.values()))
    place = np.empty(len(images), dtype=np.int64)
    place[used] = np.arange(len(used))
    return Classes(
        torch.from_numpy(images[used])[:, None],
        tuple(place[r] for r in rows.values()),
        tuple(names[k] for k in rows),
        tuple(alphabets[k] for k in rows),
        turns,
    )


def _read(path: str | None) -> tuple[NDArray[np.uint8], NDArray[Any], list[str], list[str], NDArray, NDArray]:
    """Images (n, 28, 28), labels (n,), and of each class its name, its alphabet, Vinyals' and Lake's split."""
    if path is None or not Path(path).exists():
        what = "no --path was given" if path is None else f"{path} does not exist"
        raise InputError(Problem("omniglot", what, WHERE_OMNIGLOT))
    if Path(path).is_dir():
        return _folder(Path(path))
    try:
        with np.load(path, allow_pickle=False) as file:
            a = {name: file[name] for name in file.files}
        names = [str(name) for name in a["class_name"]]
        first = np.unique(a["label"], return_index=True)[1]
        alphabets = [str(a["alphabet_name"][k]) for k in a["alphabet"][first]]
        return a["images"], a["label"].astype(np.int64), names, alphabets, a["vinyals_split"], a["lake_split"]
    except (KeyError, ValueError, OSError, IndexError) as error:
        raise InputError(Problem(str(path), f"is not an Omniglot file ({error})", WHERE_OMNIGLOT)) from error


def _folder(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any], list[str], list[str], NDArray, NDArray]:
    files: list[Path] = []
    names: list[str] = []
    label, alphabets, lake = [], [], []
    for half, folder in enumerate(("images_background", "images_evaluation")):
        characters = [inner for alphabet in class_folders(path / folder) for inner in class_folders(alphabet)]
        for character in characters:
            drawings = image_files(character)
            if drawings:
                label += [len(names)] * len(drawings)
                files += drawings
                names.append(f"{character.parent.name}/{character.name}")
                alphabets.append(character.parent.name)
                lake.append(half)
    if not {0, 1} <= set(lake):
        raise InputError(
            Problem(str(path), "lacks images_background or images_evaluation with drawings", WHERE_OMNIGLOT)
        )
    images = 255 - read_images(files, size=SIDE, grey=True)[:, 0]  # bright strokes on black
    order = np.random.default_rng(0).permutation(len(names))
    shares = np.array([TRAIN, VALIDATION]) / 1623
    cuts = np.round(np.cumsum(shares) * len(names)).astype(int)
    split = np.empty(len(names), dtype=np.int64)
    for k, part in enumerate(np.split(order, cuts)):
        split[part] = k
    return images, np.array(label), names, alphabets, split, np.array(lake)
