"""What counts as survived: our own error that names the file and what to do, or the same values as before.

The tests and the campaign (`campaign.py`) ask the same judges. A verdict is "named", "harmless", or why it is neither.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd

from autometa.errors import InputError, RunError, StoreError
from autometa.search import Run, load_model, open_run
from autometa.store import MetaStore
from autometa.task import read_task

NAMED, HARMLESS = "named", "harmless"


def survived(verdict: str) -> bool:
    return verdict in (NAMED, HARMLESS)


def foreign(error: BaseException) -> str:
    """An exception that is not ours, with the place in our code that let it through."""
    import traceback

    places = [f for f in traceback.extract_tb(error.__traceback__) if "/autometa/" in f.filename]
    where = f" @ {Path(places[-1].filename).name}:{places[-1].lineno} {places[-1].name}" if places else ""
    return f"foreign: {type(error).__name__}: {str(error)[:160]}{where}"


def commanded(*words: object) -> tuple[int, str]:
    """Runs a command in this process; its exit code, and all that it printed."""
    from autometa.cli import main

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = main([str(word) for word in words])
    return code, out.getvalue()


# -------------------------------------------------------------------------------------------------------------- runs


def state_of_run(run: Path, table: pd.DataFrame) -> tuple[Any, ...]:
    """Everything that a run says."""
    result = open_run(run)
    answers = load_model(run).predict_proba(table)
    kept = Run.open(run)
    rows = kept.trials(kept.study())
    oofs = [kept.oof(row.number) for row in rows]
    kept.check_kept([row.number for row in rows])
    return (
        result.summary() | {"run": None},
        result.trials,
        result.recommendations,
        result.settings,
        result.oof.tobytes(),
        result.task.X.to_csv(),
        result.task.y.tobytes(),
        result.task.schema.notes,
        [(train.tobytes(), test.tobytes()) for train, test in kept.splits],
        answers.tobytes(),
        [oof is not None and oof.tobytes() for oof in oofs],
    )


def files_of(run: Path) -> list[str]:
    """Every file that says something; locks are empty, and a report is only looked at."""
    silent = ("lock", "report.html")
    return sorted(p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file() and p.name not in silent)


def judge_run(run: Path, table: pd.DataFrame, expected: tuple[Any, ...], damaged: Path) -> str:
    """A run one of whose files is damaged."""
    try:
        found = state_of_run(run, table)
    except RunError as error:
        known = damaged.name.removesuffix(".seal").replace("journal.head", "journal.log")
        finished = damaged.name != "result.json" or damaged.exists()
        if known not in str(error) and finished:
            return f"does not name it: {error}"
        if "`autometa" not in str(error) and "--trust" not in str(error) and damaged.name != "run.json":
            return f"no remedy: {error}"
        return NAMED
    except Exception as error:  # noqa: BLE001
        return foreign(error)
    return HARMLESS if found == expected else "silently other values"


# ------------------------------------------------------------------------------------------------------------ stores


def state_of_store(url: Path) -> tuple[Any, ...]:
    """Everything that a store says."""
    store = MetaStore(url)
    past = store.past(kind="binary", metric="roc_auc")
    tasks = store.tasks(space=None)
    told = [[e.to_dict() for e in store.evaluations(task.fingerprint, task.space)] for task in tasks]
    facts = [(t.fingerprint, t.name, t.kind, t.metric, t.created, str(t.metafeatures)) for t in tasks]
    numbers = (past.scores, past.seconds, past.metafeatures)
    return facts, told, *(str(values.tolist()) for values in numbers), past.configs  # NaN is equal to itself as text


def judge_store(url: Path, expected: tuple[Any, ...]) -> str:
    """A store whose file, or a row of which, was changed."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            found = state_of_store(url)
        except StoreError as error:
            return NAMED if str(url) in str(error) else f"does not name it: {error}"
        except Exception as error:  # noqa: BLE001
            return foreign(error)
    if found == expected:
        return HARMLESS
    return NAMED if any(str(url) in str(one.message) for one in heard) else "silently other values"


def judge_import(mine: Path, export: Path) -> str:
    """An export that may be hostile, brought into a store: refused with nothing written, or good to read."""
    before = mine.read_bytes()
    try:
        MetaStore(mine).import_(export)
    except (InputError, StoreError) as error:
        if mine.read_bytes() != before:
            return "refused, and written nevertheless"
        return NAMED if export.name in str(error) else f"does not name it: {error}"
    except Exception as error:  # noqa: BLE001
        return foreign(error)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            state_of_store(mine)
            wrong = list(MetaStore(mine).verify())
        except Exception as error:  # noqa: BLE001
            return f"accepted, and then unreadable: {type(error).__name__}: {error}"
    return HARMLESS if not wrong else f"accepted, and then damaged: {wrong[0]}"


# ------------------------------------------------------------------------------------------------------------ tables


def judge_table(content: bytes, **options: Any) -> str:
    """A table that may be anything: read, or refused in our words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_task(content, **options)
        except InputError as error:
            return NAMED if str(error).strip() else "refused without a word"
        except Exception as error:  # noqa: BLE001
            return foreign(error)
    return HARMLESS


def left_behind(folder: Path, known: Iterable[str] = ()) -> list[str]:
    """Files whose writer was killed: whatever is beside its place, and was never moved into it."""
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and (".tmp" in p.name or p.name.startswith(".")))
