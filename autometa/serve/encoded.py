"""What of a request is encoded before the model reads it: images, as base64 in JSON or as files, and texts.

What a model was fitted on says its schema (`fewshot.embedded.Record`); its encoder is read once, when the service
starts. Nothing of a request is kept, and no file of this machine is opened because a request names it, unless the
service is one of its own user's (`paths`).

Letters:  n rows.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from autometa.errors import InputError, Problem
from autometa.serve.columns import Field, fields_of
from autometa.serve.options import OPTIONS
from autometa.task.vectors import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from autometa.fewshot.embedded import RecordedEncoder
    from autometa.search import Model

IMAGE = "image"  # the column of a model that was fitted on a folder, which has no other
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # as `IMAGE_SUFFIXES`: others may run programs
_SEND = "Send the file itself, as base64: PNG, JPEG, BMP, GIF, WebP or TIFF."
_DATA_URL = re.compile(r"\s*data:[\w.+/-]*(;[\w=-]+)*,", re.ASCII)


@dataclass(frozen=True, slots=True)
class RequestEncoder:
    """The images or texts of requests as the table that a model learned from.

    Args:
        column: Of a row, in which the image or the text is.
        encoder: What makes vectors.
        paths: Whether a cell may be the path of an image on this machine.

    Example:
        >>> from autometa.search import load_model
        >>> RequestEncoder.of(load_model(run)) is None  # a model of a plain table
        True
    """

    column: str
    encoder: RecordedEncoder
    paths: bool = False

    @classmethod
    def of(cls, model: Model, *, paths: bool = False) -> RequestEncoder | None:
        """What a model needs; None for one of plain tables.

        Raises:
            InputError: Its encoder is not there, or not what it was.
        """
        if not model.schema.encoder:
            return None
        from autometa.fewshot.embedded import Record, RecordedEncoder

        record = Record.of(model.schema.encoder)
        return cls(record.column or IMAGE, RecordedEncoder.open(record), paths)

    @property
    def images(self) -> bool:
        """Whether images are encoded, and not texts."""
        return self.encoder.record.takes == "images"

    def fields(self, model: Model) -> list[Field]:
        """The columns that a row needs: the one that is encoded, and those beside it."""
        made = re.compile(rf"({'|'.join(map(re.escape, self.encoder.vectors(model.schema.raw)))})(_\d+)?")
        beside = [field for field in fields_of(model) if not made.fullmatch(field.name)]
        own = Field(self.column, "image", None) if self.images else Field(self.column, "text", "a text")
        return [own, *beside]

    def table(self, beside: pd.DataFrame, cells: Sequence[Any]) -> pd.DataFrame:
        """Rows, encoded.

        Args:
            beside: (n, any) the other columns.
            cells: (n,) images or texts; None where one is missing.

        Raises:
            InputError: Everything that is wrong with the cells.
        """
        from autometa.fewshot.encoding import ExampleTable

        wrong, items = list[Problem](), list[Any]()
        for number, cell in enumerate(cells, start=1):
            try:
                items.append(self._item(cell))
            except ValueError as error:
                what, _, fix = str(error).partition("|")
                wrong.append(Problem(f"row {number}", f"{self.column!r} {what}", fix))
        if not wrong and all(item is None for item in items):
            said = "an image" if self.images else "a text"
            wrong.append(Problem("body", f"no row has {said}", f"{said.capitalize()} is needed in {self.column!r}."))
        if wrong:
            more = len(wrong) - OPTIONS.named
            raise InputError(wrong if more <= 0 else [*wrong[: OPTIONS.named], Problem("", f"and {more:,} more")])
        table = ExampleTable(self.encoder.record.takes, items, beside, self.column)
        try:
            return self.encoder.table(table, keep=False)
        except InputError as error:
            raise InputError((_unreadable(items) if self.images else []) or error.problems) from error

    def _item(self, cell: Any) -> Any:
        """What the encoder takes; ValueError says what is wrong, and after ``|`` what to do."""
        if cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell):
            return None
        if not self.images:
            return str(cell)
        if isinstance(cell, bytes):
            return checked_image(cell)
        if not isinstance(cell, str):
            raise ValueError(f"is no text|{_SEND}")
        if cell.lower().endswith(IMAGE_SUFFIXES):
            if not self.paths:
                raise ValueError(f"is the name of a file, and none is opened here|{_SEND}")
            if not Path(cell).is_file():
                raise ValueError(f"is {cell}, which does not exist|Name a file, or send it as base64.")
            return checked_image(Path(cell).read_bytes())
        try:
            sent = base64.b64decode("".join(_DATA_URL.sub("", cell, count=1).split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"is not base64|{_SEND}") from None
        return checked_image(sent)


def checked_image(sent: bytes) -> bytes:
    """The same, of a picture of a kind that is taken; ValueError says why it is none.

    Example:
        >>> checked_image(b"no picture")
        Traceback (most recent call last):
            ...
        ValueError: is no image that can be read|Send the file itself, as base64: PNG, JPEG, BMP, GIF, WebP or TIFF.
    """
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(sent), formats=FORMATS) as image:
                width, height = image.size
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        width = height = OPTIONS.pixels
    except Exception:  # noqa: BLE001 - whatever a decoder makes of what strangers send
        raise ValueError(f"is no image that can be read|{_SEND}") from None
    if width * height > OPTIONS.pixels:
        raise ValueError(f"has more than {OPTIONS.pixels:,} pixels|Scale it down.")
    return sent


def _unreadable(items: Sequence[bytes | None]) -> list[Problem]:
    """The rows whose images are none to their end, as those that were cut off are."""
    from autometa.fewshot.data.images import read_images

    wrong = list[Problem]()
    for number, item in enumerate(items, start=1):
        try:
            read_images([] if item is None else [item], size=1, grey=False)
        except InputError as error:
            wrong += [replace(one, where=f"row {number}", fix=one.fix or "Is it whole?") for one in error.problems]
        except ValueError:  # none to be put together
            continue
    return wrong


def files_sent(kind: str, body: bytes, column: str) -> tuple[list[Any], dict[str, list[str]]]:
    """The images of a request, and the cells beside them.

    Args:
        kind: Its content type: ``image/...``, where the body is one image, or ``multipart/form-data``.
        body: As it came.
        column: In which images are; a file may come under any name.

    Raises:
        InputError: It is no such form, or says how many cells there are otherwise than how many images.

    Example:
        >>> files_sent("image/png", b"PNG", "image")
        ([b'PNG'], {})
    """
    if not kind.lower().startswith("multipart/"):
        return [body], {}
    boundary = _message(b"Content-Type: " + kind.encode("latin-1", "replace")).get_param("boundary")
    parts = [] if not boundary else body.split(b"--" + str(boundary).encode("latin-1", "replace"))
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        fix = f"Send one with a file for each image, such as: curl -F {column}=@picture.png"
        raise InputError(Problem("body", "is not a form, or not whole", fix))
    images, cells = list[Any](), dict[str, list[str]]()
    for part in parts[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        said = _message(head)
        name = str(said.get_param("name", "", header="content-disposition"))
        content = content.removesuffix(b"\r\n")
        if said.get_filename() is not None or name == column:
            images.append(content or None)
        else:
            cells.setdefault(name, []).append(content.decode("utf-8", "replace"))
    uneven = [
        Problem(f"field {name}", f"comes {len(some)} times, and there are {len(images)} images",
                "Send each field once for every image, in the same order; or rows in JSON.")
        for name, some in cells.items()
        if len(some) != len(images)
    ]  # fmt: skip
    if uneven:
        raise InputError(uneven)
    return images, cells


def _message(head: bytes) -> Message:
    return BytesHeaderParser().parsebytes(head + b"\r\n\r\n")


def described(fields: Sequence[Field], column: str) -> dict[str, Any]:
    """What OpenAPI says of a body that is an image, or a form with images."""
    file = {"type": "string", "format": "binary"}
    beside = {one.name: {"type": "array", "items": {"type": "string"}} for one in fields if one.name != column}
    form: Mapping[str, Any] = {
        "type": "object",
        "properties": {column: {"type": "array", "items": file}, **beside},
        "required": [column, *beside],
    }
    return {"multipart/form-data": {"schema": form}, **({} if beside else {"image/*": {"schema": file}})}
