"""Several targets of one table: a folder that holds a run for each, and what says which is which.

    run/targets.json    names of the targets, and the folder of each; written once all of these are there
    run/1-price/        a run like any other
    run/2-sold/
    run/report.html     an index of their reports

Law: whatever is asked of such a folder is asked of its runs, each of which is whole by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autometa.search.records import read_record, reading, write_record

TARGETS = "targets.json"
TARGETS_FORMAT = 1


def parts_of_run(run: str | Path) -> dict[str, Path]:
    """The targets of a folder, in the order in which they were named, and the run of each; {} of a run of one target.

    Raises:
        RunError: What says so is damaged.

    Example:
        >>> parts_of_run("nowhere")
        {}
    """
    path = Path(run) / TARGETS
    if not path.is_file():
        return {}
    with reading(path):
        values = read_record(path, newer=TARGETS_FORMAT)
        return {str(name): Path(run) / str(folder) for name, folder in values["targets"]}


def folders_of(run: Path, targets: Sequence[str]) -> dict[str, Path]:
    """Where the run of each target is to be.

    Example:
        >>> [folder.name for folder in folders_of(Path("run"), ["price", "sold?"]).values()]
        ['1-price', '2-sold_']
    """
    found = {}
    for number, name in enumerate(targets, start=1):
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]
        found[name] = run / f"{number}-{stem}"
    return found


def save_targets(run: Path, parts: Mapping[str, Path]) -> None:
    """Writes which targets a folder is of, when the runs of all are there."""
    write_record(
        run / TARGETS, {"format": TARGETS_FORMAT, "targets": [[name, part.name] for name, part in parts.items()]}
    )


def why_several(run: Path) -> str | None:
    """What to say where one run is asked for, and the folder holds those of several targets; None where it does not."""
    parts = parts_of_run(run)
    if not parts:
        return None
    listed = ", ".join(f"{part} ({name!r})" for name, part in parts.items())
    return f"{run} holds the runs of {len(parts)} targets: name one of {listed}"
