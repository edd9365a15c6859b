"""Images changed at random in training, support and query alike: turned over, moved, lit otherwise.

    flip      left and right change places, of half the images
    crop      moved by up to a twelfth of a side, edges repeated
    jitter    brightness, contrast and, of colours, saturation by up to two fifths

What is drawn are a few numbers of each image, by the training's own generator on the processor, so that the same seed
changes images alike on every device; a GPU is handed them, and nothing is read from it. Whoever is judged is not
changed. To add a way, write its function and give it a line in `AUGMENTATIONS`.

Letters:  n images · h, w pixels.

Source:
    Chen, Liu, Kira, Wang and Huang, 2019, "A closer look at few-shot classification".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.episode import Episode, EpisodeSpec, Examples
from autometa.fewshot.options import OPTIONS

GREY = (0.299, 0.587, 0.114)  # of red, green and blue, as the eye weighs them


def flip(x: Tensor, rng: Generator) -> Tensor:  # (n, ch, h, w)
    """Half the images, left and right changed."""
    over = _given(x, rng.random(len(x)) < 0.5)
    return torch.where(over, x.flip(-1), x)


def crop(x: Tensor, rng: Generator) -> Tensor:  # (n, ch, h, w)
    """Each image moved across and down; what comes in is its edge."""
    n, _, *sides = x.shape
    places = []
    for side in sides:
        most = max(1, round(side * OPTIONS.cropped_share))
        moved = np.arange(side) + rng.integers(-most, most + 1, n)[:, None]  # (n, side)
        places.append(torch.from_numpy(moved.clip(0, side - 1)).to(x.device))
    each = torch.arange(n, device=x.device)[:, None, None]
    return x[each, :, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)


def jitter(x: Tensor, rng: Generator) -> Tensor:  # (n, ch, h, w)
    """Each image brighter or darker, of more or less contrast, and more or less coloured."""
    light, contrast, colour = (_given(x, 1 + OPTIONS.jittered * (2 * rng.random(len(x)) - 1)) for _ in range(3))
    x = x * light
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + contrast * (x - mean)
    if x.shape[1] == len(GREY):
        grey = sum(share * x[:, k : k + 1] for k, share in enumerate(GREY))
        x = grey + colour * (x - grey)
    return x.clamp(0, 1)


AUGMENTATIONS: dict[str, Callable[[Tensor, Generator], Tensor]] = {"flip": flip, "crop": crop, "jitter": jitter}


def named(text: str) -> tuple[str, ...]:
    """The names in a text of several.

    Example:
        >>> named("flip,crop"), named("")
        (('flip', 'crop'), ())
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())


def check(text: str, problem: EpisodeSpec) -> list[Problem]:
    """Why examples of a problem cannot be changed so; usually nothing.

    Example:
        >>> [str(wrong) for wrong in check("turn", EpisodeSpec("classification", (3, 8, 8), 5))]
        ['augment turn: is not known. Known: flip, crop, jitter.']
    """
    wrong = []
    for name in named(text):
        if name not in AUGMENTATIONS:
            fix = f"{did_you_mean(name, list(AUGMENTATIONS))} Known: {', '.join(AUGMENTATIONS)}.".strip()
            wrong.append(Problem(f"augment {name}", "is not known", fix))
    if named(text) and len(problem.shape) != 3:
        wrong.append(Problem(f"augment {text}", f"is for images, and examples are of shape {problem.shape}"))
    return wrong


def augmented(episode: Episode, text: str, rng: Generator) -> Episode:
    """An episode whose images were changed, each by itself; as it is where nothing is named.

    Raises:
        InputError: Examples are no images, or a name is not known.

    Example:
        >>> from autometa.fewshot.data import load_data
        >>> source, rng = load_data("digits").train, np.random.default_rng(0)
        >>> episode = source.episode(rng, source.propose(rng, 2, way=3), shot=1, query=4)
        >>> changed = augmented(episode, "flip,crop,jitter", rng)
        >>> changed.query.x.shape == episode.query.x.shape, bool((changed.query.y == episode.query.y).all())
        (True, True)
    """
    names = named(text)
    if not names:
        return episode
    shape = tuple(episode.support.x.shape[2:])
    if wrong := check(text, EpisodeSpec("classification", shape, 0)):
        raise InputError(wrong)

    def changed(part: Examples) -> Examples:
        x = part.x.flatten(0, 1)
        for name in names:
            x = AUGMENTATIONS[name](x, rng)
        return part._replace(x=x.unflatten(0, part.x.shape[:2]))

    return episode._replace(support=changed(episode.support), query=changed(episode.query))


def _given(x: Tensor, numbers: np.ndarray) -> Tensor:  # (n,) -> (n, 1, 1, 1)
    """Drawn numbers where the images are, in their type; truth values as they are."""
    found = torch.from_numpy(numbers).to(x.device)
    return (found if found.dtype == torch.bool else found.to(x.dtype))[:, None, None, None]
