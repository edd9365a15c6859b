"""What can be saved of a journal that is damaged.

A line that cannot be read is lost, and so may be the beginning of a trial: Optuna counts trials by those entries, so
where later entries speak of a trial that never began, one that knows nothing takes its place. A trial whose evaluation
lost a part that belongs to it is one without an evaluation. Two lines that ran into one (an older version could write
behind a torn end) are taken apart.

Law: an entry that is kept is one that was written, and speaks of the trial it was written for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from autometa.search.journal import Journal, JournalLine
from autometa.search.run import EVALUATION, FILES, FINISHED, STARTED, STUDY

JOURNAL = "journal.log"
CREATE_STUDY, SET_STUDY_ATTRIBUTE, CREATE_TRIAL = 0, 2, 4  # of Optuna's journal
_REPAIR = {"worker_id": "repair"}
_FIRST = {"op_code": CREATE_STUDY, **_REPAIR, "study_name": STUDY, "directions": [2]}


def salvaged(lines: Sequence[JournalLine]) -> tuple[list[dict[str, Any]], int]:
    """The entries of a journal that can be kept, in order, and how many lines were lost."""
    found: list[dict[str, Any] | None] = []  # None where something is lost
    for line in lines:
        found += [line.entry] if line.entry is not None else [None, *_glued(line.text)]
    entries = _with_every_trial(found)
    if not entries or entries[0]["op_code"] != CREATE_STUDY:
        entries.insert(0, _FIRST)
    attributes: dict[int, set[str]] = defaultdict(set)
    for entry in entries:
        if "trial_id" in entry:
            attributes[entry["trial_id"]] |= set(entry.get("user_attr", {}))
    whole = {trial for trial, names in attributes.items() if {EVALUATION, STARTED, FINISHED} <= names}
    kept = [e for e in entries if EVALUATION not in e.get("user_attr", {}) or e["trial_id"] in whole]
    return kept, found.count(None)


def rewritten(journal: Path, entries: Iterable[dict[str, Any]], *, forget: Set[str]) -> None:
    """Writes a journal anew, in which no trial has the files that are to be forgotten."""

    def forgotten() -> Iterator[dict[str, Any]]:
        for entry in entries:
            files = entry.get("user_attr", {}).get(FILES)
            if files is None:
                yield entry
            else:
                yield {**entry, "user_attr": {FILES: {n: d for n, d in files.items() if n not in forget}}}

    Journal.rewrite(journal, forgotten())


def _glued(text: bytes) -> list[dict[str, Any]]:
    """The entry at the end of a line that began with half of another."""
    start = text.find(b'{"op_code":', 1)
    try:
        entry = json.loads(text[start:]) if start > 0 else None
    except ValueError:
        return []
    return [entry] if isinstance(entry, dict) else []


def _with_every_trial(found: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """The entries, with the beginning of each trial of which they speak where it was lost."""
    entries: list[dict[str, Any]] = []
    begun, gap = 0, None  # trials so far, and the place among the entries where something was lost last
    for entry in found:
        if entry is None:
            gap = len(entries)
            continue
        trial = entry.get("trial_id")
        if isinstance(trial, int) and trial >= begun:
            if gap is None:  # it speaks of a trial that never began, and nothing was lost
                continue
            missing = [{"op_code": CREATE_TRIAL, **_REPAIR, "study_id": 0, "datetime_start": None}] * (
                trial + 1 - begun
            )
            entries[gap:gap] = missing
            begun = trial + 1
        begun += entry["op_code"] == CREATE_TRIAL
        entries.append(entry)
    return entries
