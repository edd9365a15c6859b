"""Examples of one's own: arrays, or a data set of pairs as PyTorch has them.

Which classes are trained on and which are kept for validation and test is said by `split`, or drawn: as many classes as
an episode has ways, and at least a fifth, for each of the two. Where classes are too few for three parts, validation is
on other examples of the training classes.

Letters:  n examples · c classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.classes import ANY, Classes, grouped
from autometa.fewshot.data.images import SPLITS
from autometa.fewshot.data.source import Data
from autometa.fewshot.labels import label_array
from autometa.fewshot.options import OPTIONS


def from_arrays(
    x: ArrayLike,
    y: ArrayLike,
    *,
    domain: ArrayLike | None = None,
    split: ArrayLike | None = None,
    way: int = 5,
    name: str = "arrays",
) -> Data:
    """Data of labelled examples.

    Args:
        x: (n, p) vectors, or images (n, height, width) or (n, channels, height, width): bytes, or floating-point
            numbers, which are left as they are.
        y: (n,) labels of one type, none missing.
        domain: (n,) what classes of one kind share; every episode then stays within one. None where all are of a kind.
        split: (n,) ``train``, ``val`` or ``test``, the same for all examples of a class; None to draw it.
        way: Classes of the episodes to come, by which classes are shared out where `split` is None.
        name: For messages and checkpoints.

    Raises:
        InputError: With everything that is wrong.

    See Also:
        `from_dataset`, `load_data`, `FewShotClassifier.meta_fit`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(12).repeat(10)
        >>> data = from_arrays(rng.normal(size=(120, 64)) + y[:, None], y, way=3)
        >>> [len(part.names) for part in (data.train, data.validation, data.test)]
        [6, 3, 3]
    """
    wrong: list[Problem] = []
    array = np.asarray(x)
    labels = label_array(y, name)
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3, 4) or not len(array):
        wrong.append(Problem(name, f"examples of shape {array.shape} and type {array.dtype}", "Vectors, or images."))
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
        at = ", ".join(map(str, rows[:5]))
        wrong.append(Problem(name, f"NaN or infinity in {len(rows)} examples (row {at})", "Fill or drop them."))
    elif array.ndim == 4 and array.shape[1] > 4 and array.shape[-1] in (1, 3, 4):
        wrong.append(Problem(name, f"images of shape {array.shape[1:]}", "Channels first: x.transpose(0, 3, 1, 2)."))
    elif array.ndim == 2 and array.shape[1] > OPTIONS.most_dimensions:
        wrong.append(Problem(name, f"{array.shape[1]} numbers a row; {OPTIONS.most_dimensions} are the most"))
    others = {"domain": domain, "split": split}
    given = {part: None if value is None else label_array(value, f"{name}: {part}") for part, value in others.items()}
    for found in (labels, *given.values()):
        wrong += found if isinstance(found, list) else []
    for part, found in {"labels": labels, **given}.items():
        if isinstance(found, np.ndarray) and len(found) != len(array):
            wrong.append(Problem(name, f"{len(array)} examples and {len(found)} of {part}"))
    if wrong or isinstance(labels, list):
        raise InputError(wrong)
    domains, splits = (None if value is None else np.asarray(value).astype(str) for value in given.values())
    names = labels.astype(str)
    whole = names if domains is None else np.char.add(np.char.add(domains, "\0"), names)
    known, number = np.unique(whole, return_inverse=True)
    first = np.unique(number, return_index=True)[1]
    if splits is None:
        parts = _drawn(number, len(known), way, name)
    else:
        parts = _said(splits, number, [names[k] for k in first], name)
    tensor = _tensor(array)
    made = [_classes(tensor, number, keep, names[first], None if domains is None else domains[first]) for keep in parts]
    return Data(name, made[0], made[1], made[2], within_domain=domains is not None)


def from_dataset(dataset: Any, *, way: int = 5, name: str = "dataset") -> Data:
    """Data of a data set of pairs ``(example, label)``, such as those of `torch.utils.data` and torchvision.

    Args:
        dataset: Has a length and items: tensors, arrays or Pillow images of one shape, and their labels.
        way: Classes of the episodes to come; `from_arrays` says what for.
        name: For messages and checkpoints.

    Raises:
        InputError: Its items are no such pairs, or of several shapes, or what `from_arrays` refuses.

    See Also:
        `from_arrays`.

    Example:
        >>> pairs = [(torch.full((1, 8, 8), float(k)), k) for k in range(9) for _ in range(4)]
        >>> from_dataset(pairs, way=3).train.problem(3).shape
        (1, 8, 8)
    """
    try:
        pairs = [dataset[i] for i in range(len(dataset))]
        x, y = [_example(pair[0]) for pair in pairs], [pair[1] for pair in pairs]
    except (TypeError, IndexError, KeyError, ValueError) as error:
        what = f"is no data set of pairs of an example and its label ({type(error).__name__}: {error})"
        raise InputError(Problem(name, what, "Give (X, y), or such a data set.")) from error
    shapes = sorted({one.shape for one in x})
    if len(shapes) != 1:
        raise InputError(Problem(name, f"examples of {len(shapes)} shapes: {shapes[:4]}", "Scale them to one."))
    return from_arrays(np.stack(x), np.array([_label(one) for one in y], dtype=object), way=way, name=name)


def _example(one: Any) -> NDArray[Any]:
    """One example, with the channels of a Pillow image first."""
    if hasattr(one, "detach"):
        found: NDArray[Any] = one.detach().cpu().numpy()
        return found
    array = np.asarray(one)
    return array.transpose(2, 0, 1) if hasattr(one, "getbands") and array.ndim == 3 else array


def _label(one: Any) -> Any:
    return one.item() if hasattr(one, "item") else one


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """Vectors as float32; images with a channel, bytes as they are."""
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array))
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _drawn(number: NDArray[np.int64], c: int, way: int, name: str) -> list[NDArray[np.bool_]]:
    """Which examples are in each part, by classes; drawn once and for all by a fixed seed."""
    if c < 2 * way:
        what = f"{c} classes, and episodes of {way} need {2 * way}: to train on {way}, and test on {way} others"
        raise InputError(Problem(name, what, "Lower --way (in Python way=)."))
    rng = np.random.default_rng(0)
    order = rng.permutation(c)
    held = max(way, round(OPTIONS.held_classes * c))
    if c >= 2 * held + way:
        test, validation, train = order[:held], order[held : 2 * held], order[2 * held :]
        return [np.isin(number, part) for part in (train, validation, test)]
    tested = np.isin(number, order[:way])
    apart = np.zeros(len(number), dtype=bool)
    for label in order[way:]:
        rows = rng.permutation(np.flatnonzero(number == label))
        apart[rows[: round(OPTIONS.digits_held * len(rows))]] = True
    return [~tested & ~apart, ~tested & apart, tested]


def _said(
    splits: NDArray[np.str_], number: NDArray[np.int64], names: Sequence[str], where: str
) -> list[NDArray[np.bool_]]:
    """Which examples are in each part, as it is said of them."""
    spelled = {spelling: k for k, spellings in enumerate(SPLITS.values()) for spelling in spellings}
    other = sorted(set(splits) - set(spelled))
    if other:
        raise InputError(Problem(f"{where}: split", f"{', '.join(other[:5])} is none of train, val, test"))
    part = np.array([spelled[name] for name in splits])
    several = [k for k in range(len(names)) if len(np.unique(part[number == k])) > 1]
    lacking = [split for k, split in enumerate(SPLITS) if not (part == k).any()]
    wrong = []
    if several:
        listed = ", ".join(names[k] for k in several[:5])
        what = f"{len(several)} of {len(names)} classes are in more than one part: {listed}"
        fix = "A class that was trained on is nothing new in the test. Leave the split out to share classes out."
        wrong.append(Problem(f"{where}: split", what, fix))
    if lacking:
        wrong.append(Problem(f"{where}: split", f"no examples for {', '.join(lacking)}"))
    if wrong:
        raise InputError(wrong)
    return [part == k for k in range(3)]


def _classes(
    x: torch.Tensor,
    number: NDArray[np.int64],
    keep: NDArray[np.bool_],
    names: NDArray[np.str_],
    domains: NDArray[np.str_] | None,
) -> Classes:
    """The classes of one part, over the examples of all."""
    rows = grouped(number, keep)
    domain_of = tuple(ANY if domains is None else str(domains[k]) for k in rows)
    return Classes(x, tuple(rows.values()), tuple(str(names[k]) for k in rows), domain_of)
