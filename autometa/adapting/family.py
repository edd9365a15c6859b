"""The model family of one trained learner: its own head with its inner steps, or another head on its features.

Without PyTorch: the learner is read where a pipeline is fitted (`face`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from autometa.adapting.card import LearnerCard, read_card
from autometa.adapting.options import OPTIONS
from autometa.families.family import CLASSIFICATION, Family
from autometa.space import Condition, Config, Parameter, SearchSpace, choice, integer, real
from autometa.task.vectors import vector_groups

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.task import Columns, Kind

OWN = "own"
LEARNER_VECTOR = "learner_vec"  # what `fewshot.embedded` calls the vectors that a learner makes of images
OTHERS = ("means", "ridge", "logistic")


class RowNumbers(NamedTuple):
    """Which columns of a table are an example's numbers, and which of its numbers each of them is."""

    columns: tuple[str, ...]
    places: tuple[int, ...]


def family_from(source: str) -> Family:
    """The family of a card, as `LearnerCard.text` has it.

    See Also:
        `keep`, `autometa.families.Family`.

    Example:
        >>> card = LearnerCard("maml_0badcafe", "maml", "learner.npz", 32, (32,), steps=("test_steps", 3), rate=0.4)
        >>> family_from(card.text).space("binary").default
        {'temperature': 1.0, 'inner_steps': 3, 'inner_rate': 0.4}
    """
    one = LearnerFamily(read_card(source))
    return Family(
        one.card.name,
        f"Adapted {one.card.learner}",
        one.space,
        one.build,
        kinds=CLASSIFICATION,
        requires="torch",
        limit=one.limit,
        suits=one.suits,
        uses_gpu=True,
    )


@dataclass(frozen=True, slots=True)
class LearnerFamily:
    """The parts of a family, of one learner."""

    card: LearnerCard

    def space(self, kind: Kind) -> SearchSpace:
        """The default is the learner as it was trained; a temperature, since many rows make it too sure or too shy."""
        card = self.card
        parameters = [Parameter("head", *choice(OWN, *OTHERS))] if card.heads else []
        own = Condition("head", (OWN,)) if card.heads else None
        parameters.append(Parameter("temperature", *real(0.05, 20.0, 1.0, log=True), own))
        if card.steps is not None:
            steps = card.steps[1]
            parameters.append(
                Parameter("inner_steps", *integer(1, max(OPTIONS.most_steps, steps), max(steps, 1), log=True), own)
            )
        if card.rate is not None:
            span = OPTIONS.rate_span
            rate = real(card.rate / span, card.rate * span, card.rate, log=True)
            parameters.append(Parameter("inner_rate", *rate, own))
        if card.heads:
            parameters += [
                Parameter("scale", *choice("length", "standard", "none"), Condition("head", OTHERS)),
                Parameter("C", *real(0.1, 1e4, 30.0, log=True), Condition("head", ("logistic",))),
                Parameter("alpha", *real(1e-3, 1e2, 0.3, log=True), Condition("head", ("ridge",))),
            ]
        return SearchSpace(parameters)

    def build(
        self, config: Config, columns: Columns, kind: Kind, *, n_rows: int, seed: int, threads: int, device: str
    ) -> Pipeline:
        """The columns that are the learner's numbers, and the learner."""
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import Pipeline

        from autometa.adapting.face import LearnerClassifier
        from autometa.families.learners.preprocess import Numbers, _places

        card, own = self.card, self.space(kind).complete(config)
        found = numbers_in(card, columns)
        assert isinstance(found, RowNumbers), found
        options = {} if card.steps is None or "inner_steps" not in own else {card.steps[0]: own["inner_steps"]}
        options |= {"rate": own["inner_rate"]} if "inner_rate" in own else {}
        head = own.get("head", OWN)
        model = LearnerClassifier(
            file=card.file,
            places=found.places,
            width=card.numbers if len(found.columns) < card.size else card.size,
            head=head,
            options=options,
            temperature=own.get("temperature", 1.0),
            scale=own.get("scale", "none"),
            strength=next((own[name] for name in ("C", "alpha") if name in own), 1.0),
            seed=seed,
            threads=threads,
            device=device,
        )
        numbers = ColumnTransformer([("numbers", Numbers(), partial(_places, found.columns))], sparse_threshold=0.0)
        return Pipeline([("preprocessing", numbers), ("model", model)])

    def limit(self, n_rows: int, n_columns: int, n_classes: int) -> str | None:
        """It adapts to all rows at once, and may tell no more classes apart than it was trained to."""
        if self.card.ways is not None and n_classes > self.card.ways:
            return f"was trained to tell {self.card.ways} classes apart, and the table has {n_classes}"
        pixels = self.card.embeds and n_columns >= self.card.size  # which its network has to embed at once
        most = self.card.pixel_rows if pixels else self.card.rows
        return f"adapts to {most:,} rows at most, and the table has {n_rows:,}" if n_rows > most else None

    def suits(self, columns: Columns, n_rows: int) -> str | None:
        """Its examples have to be there."""
        found = numbers_in(self.card, columns)
        return found if isinstance(found, str) else None


def numbers_in(card: LearnerCard, columns: Columns) -> RowNumbers | str:
    """The columns that a learner takes; or why there are none.

    Some of a vector's numbers may lack, as those do that never vary: they count as 0.

    Example:
        >>> from autometa.task import Columns
        >>> card = LearnerCard("protonet_0badcafe", "protonet", "learner.npz", 3, (3,))
        >>> numbers_in(card, Columns(("a", "b", "c"))).places
        (0, 1, 2)
        >>> numbers_in(card, Columns(("a", "b")))
        'learned from vectors of 3 numbers, and the table has 2 numeric columns'
    """
    numeric = columns.numeric
    said = f"{len(numeric)} numeric column{'s' if len(numeric) != 1 else ''}"
    if card.tabular:
        if 0 < len(numeric) <= card.numbers:
            return RowNumbers(numeric, tuple(range(len(numeric))))
        return f"learned from {card.what}, and the table has {said}"
    groups = vector_groups(numeric)
    own = [name for name in numeric if re.fullmatch(rf"{LEARNER_VECTOR}_\d+", name)]
    if own:  # which it made itself, beside those of an encoder
        groups = {LEARNER_VECTOR: tuple(sorted(own, key=lambda name: int(name.rpartition("_")[2])))}
    for names in sorted(groups.values(), key=len, reverse=True):
        places = tuple(int(re.findall(r"\d+", name)[-1]) for name in names)
        full = OPTIONS.share_of_numbers * card.numbers
        if len(names) in (card.numbers, card.size):
            return RowNumbers(names, tuple(range(len(names))))
        if full / 2 <= len(names) < card.numbers and full <= max(places) < card.numbers:
            return RowNumbers(names, places)
    for size in (card.size, card.numbers):  # as they are, before as its network makes them
        if len(numeric) == size:
            return RowNumbers(numeric, tuple(range(size)))
    if groups:
        said = " and ".join(f"{name} of {len(names)} numbers" for name, names in groups.items())
    made = f" ({card.size} numbers)" if card.takes_images else ""
    return f"learned from {card.what}{made}, and the table has {said}"
