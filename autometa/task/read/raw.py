"""A raw table: what a reader of files hands on."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from autometa.task.findings import InputFindings


@dataclass(slots=True)
class RawTable:
    """What could be read, with what was noticed and what was wrong."""

    findings: InputFindings
    frame: pd.DataFrame | None = None  # (n, p); None, with a problem, if nothing could be read
    duplicated: frozenset[str] = field(default_factory=frozenset)  # names that several columns had
