"""What of a run is whole, and what can be saved of one that is not.

`verify_run` reads everything in a run and changes nothing. `repair_run` sets aside what is damaged, under the same name
with ``.damaged`` behind it, and leaves a run that `resume` goes on with: a trial whose evaluation is lost is forgotten,
one whose predictions are lost does not enter the model, one whose fold models are lost is fitted again, and a model or
result that is lost is made anew. The settings, the table and the splits cannot be made anew: where they are lost only
the model is left, if that is whole.

Law: nothing is deleted, and nothing damaged is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autometa.errors import Problem, RunError
from autometa.search.journal import scan
from autometa.search.options import OPTIONS
from autometa.search.records import DamagedError
from autometa.search.result import leaderboard, read_result
from autometa.search.run import EVALUATION, FILES, Run
from autometa.search.salvage import JOURNAL, rewritten, salvaged
from autometa.search.settings import TrialRow
from autometa.search.signature import check_whole

SUFFIX = ".damaged"


@dataclass(frozen=True, slots=True)
class RunDamage:
    """One file of a run that is not as it was written."""

    path: Path
    why: str
    fatal: bool = False  # it cannot be made anew

    @property
    def problem(self) -> Problem:
        """As it is told, with what can be done."""
        fix = "--repair sets it aside, and `autometa resume` makes it anew or does without."
        if self.fatal:
            fix = "It cannot be made anew: restore a copy. A whole model still predicts."
        return Problem(str(self.path), self.why, fix)


def verify_run(folder: str | Path, *, trusted: bool = False) -> list[Problem]:
    """Everything that is wrong with a run; empty when nothing is. Changes nothing, and runs none of its code.

    Args:
        folder: Of the run.
        trusted: Read what somebody else made.

    Raises:
        RunError: It is not a run, or one of a newer version.

    See Also:
        `repair_run`.

    Example:
        >>> verify_run(run)
        []
    """
    return [damage.problem for damage in _damages(Path(folder), trusted)]


def repair_run(folder: str | Path, *, trusted: bool = False) -> list[str]:
    """Saves what can be saved of a run, and says in a sentence each what was done; empty when nothing had to be.

    Raises:
        RunError: It is not a run, is in use, or has lost what it cannot do without.

    See Also:
        `verify_run`.

    Example:
        >>> repair_run(run)  # nothing had to be
        []
    """
    folder = Path(folder)
    found = list(_damages(folder, trusted))
    if lost := [damage for damage in found if damage.fatal]:
        raise DamagedError(lost[0].path, lost[0].why)
    if not found:
        return []
    run, journal = Run.open(folder, trusted=trusted), folder / JOURNAL
    with run.locked():
        aside = {damage.path for damage in found if damage.path != journal}
        if aside & {folder / name for name in ("oof.npy", "model.pkl")} or journal in {d.path for d in found}:
            aside.add(folder / "result.json")
        done = [_set_aside(path) for path in sorted(aside) if path.exists()]
        scanned = scan(journal, numbered=run.format > 1) if journal.exists() else None
        entries, lost_entries = salvaged(scanned.lines if scanned else ())
        unknown = _unknown_files(folder, entries)
        done += [_set_aside(path) for path in sorted(unknown)]
        if journal.exists():
            _copy_aside(journal)
        rewritten(journal, entries, forget={path.relative_to(folder).as_posix() for path in aside | unknown})
    if lost_entries or scanned is None or scanned.damage:
        done.append(f"{journal} is written anew: {len(entries)} entries are kept, {lost_entries} were lost.")
    if not (folder / "result.json").exists():
        done.append(f"`autometa resume {folder}` finishes the run with what is left.")
    return done


def _damages(folder: Path, trusted: bool) -> Iterator[RunDamage]:
    """Every file that is not as it was written."""
    try:
        run = Run.open(folder, trusted=trusted)
    except DamagedError as error:
        yield RunDamage(error.path, error.why, fatal=True)
        return
    fatal = [*_tried(lambda: run.task, fatal=True), *_tried(lambda: run.splits, fatal=True)]
    yield from fatal
    rows: tuple[TrialRow, ...] = ()
    try:
        wrong = scan(folder / JOURNAL, numbered=run.format > 1).damage
    except OSError as error:
        wrong = ["it is missing" if isinstance(error, FileNotFoundError) else str(error)]
    yield from (RunDamage(folder / JOURNAL, why) for why in wrong)
    if not wrong:
        try:
            rows = run.trials(run.study())
        except DamagedError as error:
            yield RunDamage(folder / JOURNAL, error.why)
        except RunError:  # no trial yet
            return
    yield from _trial_damages(run, rows, run.task.metric if not fatal else None)
    if rows:
        yield from _tried(run.recommendations)
    if (folder / "result.json").exists():
        yield from _tried(lambda: read_result(run))
        yield from _tried(lambda: run.array(folder / "oof.npy"))
    if (folder / "model.pkl").exists():
        yield from _tried(lambda: check_whole(folder / "model.pkl", trusted=trusted), folder / "model.pkl")
    elif (folder / "result.json").exists():
        yield RunDamage(folder / "model.pkl", "it is missing")


def _trial_damages(run: Run, rows: tuple[TrialRow, ...], metric: str | None) -> Iterator[RunDamage]:
    """What trials left; fold models only of those that are kept, which are the best in a metric, if it is known."""
    for row in rows:
        yield from _tried(partial(run.oof, row.number))
    kept = [] if metric is None else leaderboard(rows, metric)[: OPTIONS.candidates]
    for row in kept if run.format > 1 else []:

        def read(number: int = row.number) -> None:
            if (path := run.fold_models(number)) is not None:
                run.read_models(path)

        yield from _tried(read, run.models_path(row.number))


def _tried(read: Callable[[], Any], path: Path | None = None, *, fatal: bool = False) -> Iterator[RunDamage]:
    """The damage that reading finds; `path`, of what may also be refused because it is somebody else's."""
    try:
        read()
    except DamagedError as error:
        yield RunDamage(error.path, error.why, fatal)
    except RunError as error:
        if path is None:
            raise
        yield RunDamage(path, str(error).removeprefix(f"{path} "))


def _set_aside(path: Path) -> str:
    target = path.with_name(path.name + SUFFIX)
    path.replace(target)
    with suppress(FileNotFoundError):  # a signature goes with what it signs
        path.with_name(path.name + ".seal").unlink()
    return f"{path} is set aside as {target.name}."


def _copy_aside(journal: Path) -> None:
    target = journal.with_name(journal.name + SUFFIX)
    target.write_bytes(journal.read_bytes())
    target.chmod(journal.stat().st_mode)


def _unknown_files(folder: Path, entries: list[dict[str, Any]]) -> set[Path]:
    """What trials left of which the journal does not say any more what it should be."""
    attributes = [entry["user_attr"] for entry in entries if "user_attr" in entry]
    if not any(FILES in attribute for attribute in attributes):  # of an older version, without checksums
        return set()
    known = {name for attribute in attributes for name in attribute.get(FILES, {})}
    there = [*(folder / "oof").glob("*.npy"), *(folder / "models").glob("*.pkl")]
    finished = any(EVALUATION in attribute for attribute in attributes)
    return {path for path in there if finished and path.relative_to(folder).as_posix() not in known}
