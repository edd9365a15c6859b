"""What a search needs to know of a trained learner without reading its checkpoint, as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields

from autometa.families import FamilyOrigin

MODULE = "autometa.adapting.family"


@dataclass(frozen=True, slots=True)
class LearnerCard:
    """A trained learner, in words and numbers.

    See Also:
        `keep`, which makes one; `family_from`.

    Example:
        >>> card = LearnerCard("protonet_0badcafe", "protonet", "/tmp/learner.npz", numbers=64, shape=(1, 28, 28))
        >>> read_card(card.text) == card, card.takes_images
        (True, True)
    """

    name: str  # of its family: the learner's, and the beginning of a hash of its content
    learner: str
    file: str  # where the checkpoint is kept
    numbers: int  # of a row: what its network makes of an image, or an example's own
    shape: tuple[int, ...]  # of an example
    tabular: bool = False  # whether it learned from tables of up to so many columns
    pixels: bool = False  # whether it learned from images in 0..1
    embeds: bool = False  # whether its network embeds an image before its head is adapted
    ways: int | None = None  # classes that it tells apart; None for any number
    rows: int = 0  # that it adapts to at most
    pixel_rows: int = 0  # where its network is given the images themselves
    heads: bool = False  # whether other heads can be put on its features
    steps: tuple[str, int] | None = None  # the option that counts its inner steps, and their number; None without any
    rate: float | None = None  # of an inner step; None without one

    @property
    def takes_images(self) -> bool:
        """Whether its examples are images."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """Numbers of an example as it is."""
        return math.prod(self.shape)

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @property
    def origin(self) -> FamilyOrigin:
        """By which every process of a search finds its family."""
        return FamilyOrigin(self.name, MODULE, None, self.text)

    @property
    def what(self) -> str:
        """What it learned from, in words."""
        if self.tabular:
            return f"tables of up to {self.numbers} numeric columns"
        if self.takes_images:
            channels, height, width = self.shape
            return f"images of {height} x {width} pixels in {channels} channel{'s' if channels > 1 else ''}"
        return f"vectors of {self.numbers} numbers"


def read_card(text: str) -> LearnerCard:
    """From `LearnerCard.text`; what a later version added is left out.

    See Also:
        `LearnerCard`.

    Example:
        >>> read_card(LearnerCard("maml_0badcafe", "maml", "maml.npz", 32, (32,)).text).shape
        (32,)
    """
    known = {field.name for field in fields(LearnerCard)}
    values = {name: value for name, value in json.loads(text).items() if name in known}
    values["shape"] = tuple(values["shape"])
    values["steps"] = None if values.get("steps") is None else tuple(values["steps"])
    return LearnerCard(**values)
