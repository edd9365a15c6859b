"""Folders of images, and tables with images or texts in a column, as tables of vectors: for whoever fits and predicts.

`first` encodes what a search is to learn from, and says in a `Record` with what; the record is kept in the model's
schema, and `later` encodes what the model is asked about alike, or refuses an encoder that is another now.

Law: a table without images is left as it is, unless an encoder was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.encoders import BUILTIN, PROGRAMS, Encoder, HowFed, Takes, content_of
from autometa.fewshot.encoding import (
    ExampleTable,
    encoded,
    examples,
    is_image_folder,
    of_table,
    path_column,
    with_vectors,
)
from autometa.fewshot.evaluation import TellProgress
from autometa.fewshot.learned import LEARNER, any_encoder
from autometa.task.vectors import may_have_images

LEARNER_VECTOR = "learner_vec"  # the column of a learner's vectors (`adapting.family` finds it by this name)
FREE = ("emb", "embedding", "emb_of_it")  # for an encoder's vectors: the first that no other column has
OPTIONS_OF = ("column", "size", "scaling", "trust", "download")


@dataclass(frozen=True, slots=True)
class Record:
    """With what a table was encoded: what later ones are encoded with.

    Example:
        >>> Record.of(Record("builtin", "images", "gradients-1").text).takes
        'images'
    """

    encoder: str
    takes: Takes
    fingerprint: str
    column: str | None = None  # of a table
    size: int | None = None
    scaling: str | None = None
    learner: str | None = None  # a trained one that made vectors of the same images, too
    learner_fingerprint: str = ""
    vector: str = ""  # the column of the encoder's vectors; of before there was this, a name that is free

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Record:
        """From `text`; what a later version added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


class Embedded(NamedTuple):
    """A table of vectors, and what made it."""

    frame: pd.DataFrame
    record: Record
    notes: list[str]


def first(
    data: Any,
    encoder: str | None,
    options: Mapping[str, Any] | None = None,
    *,
    learner: str | None = None,
    reading: Mapping[str, Any] | None = None,
    device: str = "auto",
    cache: Path | None = None,
    tell: TellProgress = lambda done, total, text: None,
) -> Embedded | None:
    """What a search is to learn from, encoded; None where it has no images, and no encoder was asked for.

    Args:
        data: A folder of images in sub-folders by class, or a table; anything else is no such thing.
        encoder: As `learned.any_encoder` takes it; None for the one that is built in, where there are images.
        options: ``column`` of a table, ``size``, ``scaling``, ``trust`` and ``download``; values may be text.
        learner: A trained learner that makes vectors of images beside the encoder's (`learned.any_encoder`).
        reading: Keywords of `autometa.task.read_table`.
        device: Where the encoder runs.
        cache: Where vectors are kept; None for the user's cache.
        tell: Progress.

    Raises:
        InputError: Everything that is wrong: no such encoder or column, images that are missing or cannot be read.
    """
    path = Path(data) if isinstance(data, str | Path) and "://" not in str(data) and str(data) != "-" else None
    how = _how(options or {}, device)
    asked = encoder is not None or bool(options)
    folder = path is not None and is_image_folder(path) and (asked or may_have_images(path))
    if path is None or not (folder or asked or may_have_images(path)):
        if asked:
            what = "encodes a folder of images, or one table"
            raise InputError(Problem("--encoder", what, "Name one folder or file."))
        return None
    column = (options or {}).get("column")
    if folder:
        table = examples(path)
        if "label" not in table.beside:
            fix = "Put them into a folder for each class, or name a table of paths and labels."
            raise InputError(Problem(str(path), "images without classes", fix))
        table = ExampleTable(table.takes, table.items, table.beside.drop(columns="file"))
    else:
        from autometa.task import read_table

        frame, _ = read_table(path, **(reading or {}))
        if not asked and not _images_there(frame, path):
            return None
        table = of_table(frame, path, column=column)
    found = any_encoder(encoder, table.takes, how)
    vectors = encoded(table, found, cache=cache, tell=tell)
    name = found.name if encoder is None or not Path(encoder).is_file() else str(Path(encoder).resolve())
    vector = _free(table.beside)
    record = Record(name, table.takes, found.fingerprint, table.column, found.size, how.scaling, vector=vector)
    frame, notes = with_vectors(table, vectors, vector), [_said(table, found, encoder)]
    if learner is not None and table.takes == "images":
        seeing = any_encoder(learner, table.takes, HowFed(device=device))
        frame = _with_learner(frame, table, seeing, cache=cache)
        record = replace(record, learner=learner, learner_fingerprint=seeing.fingerprint)
        notes.append(_said(table, seeing, learner))
    return Embedded(frame, record, notes)


def _with_learner(frame: pd.DataFrame, table: ExampleTable, learner: Encoder, **kept: Any) -> pd.DataFrame:
    """Vectors by a learner beside those that are there."""
    made = with_vectors(table, encoded(table, learner, **kept), LEARNER_VECTOR)
    return frame.assign(**{LEARNER_VECTOR: made[LEARNER_VECTOR]})


def later(text: str, data: Any, /, *, device: str = "auto", cache: Path | None = None, **reading: Any) -> pd.DataFrame:
    """What a model is asked about, encoded as `first` did.

    Args:
        text: The record, as the model's schema keeps it.
        data: A folder of images, a table with the column, in a file or in memory; or one that has the vectors already.
        device: Where the encoder runs.
        cache: Where vectors are kept.
        **reading: Keywords of `autometa.task.read_table`.

    Raises:
        InputError: It is no such thing, or the encoder is not what it was.
    """
    from autometa.task import read_table

    record = Record.of(text)
    if isinstance(data, str | Path) and Path(data).is_dir():
        table = examples(Path(data))
    else:
        frame, _ = read_table(data, allow_empty=True, **reading)
        if record.column is None or record.column not in frame:
            if any(str(name).startswith("emb") for name in frame):
                return frame  # vectors, which the model checks
            what = "a folder of images is needed" if record.column is None else f"no column {record.column!r}"
            raise InputError(Problem("table", what, did_you_mean(record.column or "", [str(name) for name in frame])))
        place = Path(data) if isinstance(data, str | Path) else Path("table")
        table = of_table(frame, place, column=record.column, takes=record.takes)
    return RecordedEncoder.open(record, device).table(table, cache=cache)


@dataclass(frozen=True, slots=True)
class RecordedEncoder:
    """The encoder of a record, and its learner, ready: for who encodes more than once.

    Example:
        >>> from autometa.fewshot.encoders import find_encoder
        >>> record = Record("builtin", "texts", find_encoder(None, "texts").fingerprint)
        >>> table = ExampleTable("texts", ["a good day"], pd.DataFrame({"stars": [4]}))
        >>> list(RecordedEncoder.open(record).table(table, keep=False))
        ['stars', 'emb']
    """

    record: Record
    encoder: Encoder
    learner: Encoder | None

    @classmethod
    def open(cls, record: Record, device: str = "auto") -> RecordedEncoder:
        """Reads both.

        Raises:
            InputError: There is none, or it is not what it was.
        """
        path = Path(record.encoder)
        program = path.suffix.lower() in PROGRAMS
        if program and path.is_file() and not record.fingerprint.startswith(content_of(path)):
            raise _other(record)  # before anything of it runs
        how = HowFed(record.size, record.scaling, device=device, trust=program)  # type: ignore[arg-type]
        found = any_encoder(None if record.encoder == BUILTIN else record.encoder, record.takes, how)
        seeing = None if record.learner is None else any_encoder(record.learner, record.takes, HowFed(device=device))
        if found.fingerprint != record.fingerprint or (seeing and seeing.fingerprint != record.learner_fingerprint):
            raise _other(record)
        return cls(record, found, seeing)

    def vectors(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the columns of its vectors are called, among those of a model, without their numbers.

        Args:
            names: All that the model knows.
        """
        there = [one for one in FREE if any(re.fullmatch(rf"{one}(_\d+)?", name) for name in names)]
        own = (self.record.vector,) if self.record.vector else tuple(there[:1])
        return own if self.learner is None else (*own, LEARNER_VECTOR)

    def table(self, table: ExampleTable, *, cache: Path | None = None, keep: bool = True) -> pd.DataFrame:
        """The columns beside, and those of vectors, as the model learned from them.

        Args:
            table: What is encoded.
            cache: As `encoding.encoded`.
            keep: As there.

        Raises:
            InputError: As there.
        """
        vectors = encoded(table, self.encoder, cache=cache, keep=keep)
        frame = with_vectors(table, vectors, self.record.vector or _free(table.beside))
        return frame if self.learner is None else _with_learner(frame, table, self.learner, cache=cache, keep=keep)


def _other(record: Record) -> InputError:
    what = "is another than the model was fitted with"
    return InputError(Problem(f"encoder {record.encoder}", what, "Put the former one back, or fit again."))


def _how(options: Mapping[str, Any], device: str) -> HowFed:
    """How an encoder is fed, from options that may be text."""
    wrong = []
    for name in options:
        if name not in OPTIONS_OF:
            fix = f"{did_you_mean(name, OPTIONS_OF)} Known: {', '.join(OPTIONS_OF)}.".strip()
            wrong.append(Problem(f"--encoder-option {name}", "is not known", fix))
    size = options.get("size")
    if size is not None and not (str(size).isdecimal() and 1 <= int(size) <= 4096):
        wrong.append(Problem(f"--encoder-option size={size}", "is no whole number from 1 to 4096"))
    scaling = options.get("scaling")
    if scaling not in (None, "unit", "imagenet"):
        wrong.append(Problem(f"--encoder-option scaling={scaling}", "is not known", "Choose unit or imagenet."))
    said = {}
    for name in ("trust", "download"):
        text = str(options.get(name, "no")).lower()
        if text not in ("true", "yes", "1", "false", "no", "0"):
            wrong.append(Problem(f"--encoder-option {name}={text}", "is neither yes nor no"))
        said[name] = text in ("true", "yes", "1")
    if wrong:
        raise InputError(wrong)
    return HowFed(None if size is None else int(size), scaling, device, **said)


def _images_there(frame: pd.DataFrame, path: Path) -> bool:
    """Whether a column is of paths, and the first of them is a file: names alone are no images."""
    column = path_column(frame)
    if column is None:
        return False
    cell = next(str(cell) for cell in frame[column] if isinstance(cell, str))
    return (path.parent / cell).is_file() or Path(cell).is_file()


def _free(beside: pd.DataFrame) -> str:
    """A name for the column of vectors that no other column has, nor will have once they are spread."""
    taken = {str(name) for name in beside}
    return next(name for name in FREE if not {name, f"{name}_0"} & taken)


def _said(table: ExampleTable, encoder: Encoder, asked: str | None) -> str:
    where = "" if table.column is None else f" of column {table.column!r}"
    simple = "gradients and colours" if table.takes == "images" else "parts of words"
    if encoder.name.startswith(LEARNER):
        return f"{len(table.items)} {table.takes}{where} encoded by the learner {Path(encoder.name).stem}."
    name = encoder.name if asked is not None and asked != BUILTIN else f"the simple encoder that is built in ({simple})"
    more = "" if asked is not None else " --encoder names a trained one."
    return f"{len(table.items)} {table.takes}{where} encoded by {name}.{more}"
