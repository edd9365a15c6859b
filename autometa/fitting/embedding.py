"""Images and texts on their way into a search: encoded before they are a table, and remembered with what.

PyTorch, which encoders need, is imported where there is something to encode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from autometa.fitting.learner import OF_COLUMNS, learner_for
from autometa.search import Progress, Settings
from autometa.task import Task
from autometa.task.read.sources import shown
from autometa.task.vectors import may_have_images


def embedded(
    data: Any,
    encoder: str | None,
    options: Mapping[str, Any] | None,
    reading: Mapping[str, Any],
    settings: Settings,
    progress: Progress,
) -> Any:
    """Images or texts as a table of vectors (`fewshot.embedded.first`); None where `data` is a table as it is.

    Raises:
        InputError: Everything that is wrong with the encoder, and with what it is to encode.
    """
    if encoder is None and not options and not may_have_images(data):
        return None
    from autometa.fewshot.embedded import first

    progress.stage("encoding", shown(data))
    how = {name: value for name, value in reading.items() if name not in OF_COLUMNS or name == "na"}
    return first(data, encoder, options, learner=learner_for(settings, data), reading=how, device=settings.device)


def embedded_alike(made: Any, validation: Any, device: str) -> pd.DataFrame:
    """A validation table, encoded as the one that is learned from."""
    from autometa.fewshot.embedded import later

    return later(made.record.text, validation, device=device)


def with_record(task: Task, made: Any) -> Task:
    """The task with what made its vectors: in its schema, for the model's sake, and in its notes."""
    schema = replace(task.schema, encoder=made.record.text)
    return replace(task, schema=schema, notes=(*made.notes, *task.notes))
