"""A trained few-shot learner on its way into a search: kept, given its images, and refused where it does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autometa.adapting.card import LearnerCard, read_card
from autometa.adapting.family import LEARNER_VECTOR, RowNumbers, numbers_in
from autometa.errors import AutoMetaError, InputError, Problem
from autometa.search import Settings
from autometa.task import Task
from autometa.task.vectors import may_have_images, spread, vector_groups

OF_COLUMNS = ("kind", "keep", "drop", "types", "na", "positive", "monotonic")  # keywords of a table that was read
SLACK = 0.05  # by which a pixel may lie outside 0..1: interpolation overshoots (`fewshot.options`)


def with_learner(settings: Settings, learner: str | Path | None) -> Settings:
    """The settings of a search that also adapts a learner; as they are where none is named.

    Args:
        settings: Of the search.
        learner: A checkpoint of `autometa fewshot train`, or the name of one that comes trained.

    Raises:
        InputError: It is none that a search can adapt.

    Example:
        >>> with_learner(Settings(), "protonet-omniglot").own_families[0].name.rpartition("_")[0]
        'protonet'
    """
    if learner is None:
        return settings
    from autometa.adapting import keep

    try:
        card = keep(learner)
    except InputError:
        raise
    except (AutoMetaError, OSError) as error:
        what = str(error).removeprefix(f"{learner}: ").rstrip(".")
        raise InputError(f"fewshot {learner}: {what}.") from error
    return replace(settings, own_families=(card.origin,))


def cards_of(settings: Settings) -> list[LearnerCard]:
    """The learners that a search adapts."""
    return [read_card(origin.source) for origin in settings.own_families if origin.source is not None]


def learner_for(settings: Settings, data: Any) -> str | None:
    """What makes vectors of images beside the encoder: a learner that learned from images, where there are some."""
    files = [card.file for card in cards_of(settings) if card.takes_images]
    return f"fewshot:{files[0]}" if files and may_have_images(data) else None


def numbers_kept(settings: Settings, frame: pd.DataFrame) -> tuple[str, ...]:
    """Columns that stay in a table though they never vary: numbers of a vector have their places."""
    if all(card.tabular for card in cards_of(settings)):
        return ()
    wide = spread(frame)
    numeric = [str(name) for name, dtype in zip(wide.columns, wide.dtypes, strict=True) if dtype.kind in "fiub"]
    sizes = {size for card in cards_of(settings) for size in (card.numbers, card.size)}
    found = vector_groups(numeric)
    groups = [names for names in found.values() if len(names) in sizes]
    if own := [name for name in numeric if name.startswith(f"{LEARNER_VECTOR}_")]:
        groups = [tuple(own)]
    there = {str(name) for name in frame.columns}
    names = [name for group in groups for name in group] or numeric
    return tuple(dict.fromkeys(name if name in there else name.rpartition("_")[0] for name in names))


def with_numbers(settings: Settings, data: Any, made: Any, reading: Mapping[str, Any], offline: bool) -> dict[str, Any]:
    """How a table is read, so that `numbers_kept` stay: of vectors that were made of images, or of one file."""
    if not settings.own_families or (made is None and not _is_file(data)):
        return dict(reading)
    if made is None:
        from autometa.openml import read_table

        how = {name: value for name, value in reading.items() if name not in OF_COLUMNS or name == "na"}
        frame, _ = read_table(data, offline=offline, **how)
    else:
        frame = made.frame
    return {**reading, "keep": [*reading.get("keep", ()), *numbers_kept(settings, frame)]}


def _is_file(data: Any) -> bool:
    return isinstance(data, str | Path) and Path(data).is_file()


def check_learner(task: Task, settings: Settings) -> None:
    """Refuses a learner that cannot take the rows of a table; columns and sizes are refused by the search's plan.

    Raises:
        InputError: It learned from numbers in 0..1, and these are none.
    """
    for card in cards_of(settings):
        found = numbers_in(card, task.columns)
        if not card.pixels or _encoded(task) or not isinstance(found, RowNumbers) or len(found.columns) != card.size:
            continue
        values = task.X[list(found.columns)].to_numpy(np.float64)
        low, high = np.nanmin(values, initial=0.0), np.nanmax(values, initial=0.0)
        if low < -SLACK or high > 1 + SLACK:
            what = f"learned from {card.what}, as numbers from 0 to 1, and these are from {low:.4g} to {high:.4g}"
            raise InputError(Problem(f"learner {card.name}", what, "Scale them, or give the images themselves."))


def _encoded(task: Task) -> bool:
    """Whether its learner has seen images, of which it made the numbers."""
    return '"fewshot:' in task.schema.encoder
