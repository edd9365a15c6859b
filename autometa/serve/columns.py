"""The columns that a row needs: as JSON Schema for programs, as fields of a form for people.

What stands in as an example is typical of the training table: its medians, its most frequent categories. No row of it
is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autometa.serve.options import OPTIONS

if TYPE_CHECKING:
    from autometa.search import Model
    from autometa.task.columns import ColumnEncoder


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a row: what it holds, what may stand there, and what is typical."""

    name: str
    holds: str  # number, boolean, category, datetime, text or image
    example: Any  # None where nothing is typical
    choices: tuple[str, ...] = ()  # of a category, where they are few
    unit: str = ""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema; null is a missing cell."""
        types = {"number": ["number", "string"], "boolean": ["boolean", "string", "number"]}
        kind = types.get(self.holds, ["string", "number"] if self.holds == "category" else ["string"])
        words = {
            "number": f"a number{f', in {self.unit}' if self.unit else ''}",
            "boolean": "true or false",
            "category": "one of the categories that training saw; another counts as missing, which is said",
            "datetime": "a moment, written as in the training table",
            "text": "a text",
            "image": "an image: the file (PNG, JPEG, BMP, GIF, WebP or TIFF) as base64, or as a data URL",
        }
        found: dict[str, Any] = {"type": [*kind, "null"], "description": words[self.holds]}
        if self.holds == "image":
            found["contentEncoding"] = "base64"
        if self.choices:
            found["examples"] = list(self.choices)
        elif self.example is not None:
            found["examples"] = [self.example]
        return found


def fields_of(model: Model) -> list[Field]:
    """The raw columns that a model needs, in the order of its training table.

    Example:
        >>> from autometa.search import load_model
        >>> fields_of(load_model(run))[0]
        Field(name='alcohol', holds='number', example=13.05, choices=(), unit='')
    """
    profiles = {one.name: one for one in model.schema.picture}
    return [_field(encoder, profiles.get(encoder.name)) for encoder in model.schema.encoders]


def _field(encoder: ColumnEncoder, profile: Any) -> Field:
    choices = encoder.categories if len(encoder.categories) <= OPTIONS.choices else ()
    example: Any = None
    if encoder.holds == "category":
        shares = () if profile is None else profile.shares
        example = shares[0][0] if shares else next(iter(encoder.categories), None)
    elif encoder.holds == "datetime":
        example = _moment(encoder)
    elif encoder.is_plain and profile is not None and profile.quantiles:
        middle = float(f"{profile.quantiles[len(profile.quantiles) // 2]:.6g}")
        example = int(middle) if middle == int(middle) else middle
    if encoder.holds == "boolean" and example is not None:
        example = bool(example >= 0.5)
    return Field(encoder.name, encoder.holds, example, choices, encoder.unit)


def _moment(encoder: ColumnEncoder) -> str | None:
    """The moment from which a column of moments counts, as its cells are written; None where that cannot be done."""
    try:
        moment = pd.Timestamp(encoder.origin, unit="s")
        return str(moment.date()) if encoder.pattern == "ISO8601" else moment.strftime(encoder.pattern)
    except (ValueError, OverflowError):  # a pattern of ours that is none of strftime's
        return None


# A white pixel, as a file of PNG in base64: what stands for an image.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="


def example_row(fields: list[Field]) -> dict[str, Any]:
    """A row with what is typical in each column."""
    return {field.name: PIXEL if field.holds == "image" else field.example for field in fields}
