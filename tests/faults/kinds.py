"""The kinds of faults of the campaign; each is an endless stream of cases that a seed can do again.

Damage, judges and helpers are those of the tests of this folder. Only what no test has is here: which case comes next.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from test_search import SCRIPT, wait_for_trials

from autometa.search import Run, load_model, open_run
from autometa.store import MetaStore

from .conftest import a_table, begun_at_once, make
from .judging import (
    HARMLESS,
    NAMED,
    commanded,
    files_of,
    judge_import,
    judge_run,
    judge_store,
    judge_table,
    left_behind,
    state_of_run,
    state_of_store,
)
from .mutations import MUTATIONS
from .test_damaged_stores import WRITER, doctored, several, with_column
from .test_foreign_code import COMMANDS, Trap, arguments

LONGEST = 580  # seconds that a command may take on a busy machine before it counts as a hang


@dataclass(frozen=True, slots=True)
class Case:
    """One fault: what is done, so that it can be done again, and what becomes of it."""

    name: str
    judge: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A stream of faults."""

    title: str  # in the documentation
    cases: Callable[[Path], Iterator[Case]]  # given an empty folder of its own
    share: float = 1.0  # of the time


def endlessly(*some: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Every combination after the seed 0, then after 1, and so on."""
    every = [*itertools.product(*some)]
    return ((seed, *one) for seed in itertools.count() for one in every)


@cache
def made(folder: Path) -> Path:
    """A finished run and its store, once for all kinds."""
    folder.mkdir()
    return make(folder)


def mutated(content: bytes, kind: str, seed: int) -> bytes | None:
    """Content after one of `MUTATIONS`; None where the file is gone."""
    return MUTATIONS[kind](content, np.random.default_rng([seed, len(content)]))


# ---------------------------------------------------------------------------------------------- damage to runs, stores


def damaged_runs(folder: Path) -> Iterator[Case]:
    """Every file by every kind of damage, again and again."""
    frame = a_table().drop(columns="y")
    run = Path(shutil.copytree(made(folder.parent / "made") / "run", folder / "run"))
    expected = state_of_run(run, frame)
    for seed, kind, name in endlessly(MUTATIONS, files_of(run)):
        path = run / name
        content = path.read_bytes()
        if (changed := mutated(content, kind, seed)) == content:
            continue

        def judge(path: Path = path, content: bytes = content, changed: bytes | None = changed) -> str:
            path.unlink() if changed is None else path.write_bytes(changed)
            try:
                return judge_run(run, frame, expected, path)
            finally:
                path.write_bytes(content)

        yield Case(f"{name} {kind} {seed}", judge)


def damaged_stores(folder: Path) -> Iterator[Case]:
    """The file of a store by every kind of damage."""
    url = folder / "store.db"
    several(url)
    content, expected = url.read_bytes(), state_of_store(url)
    for seed, kind in endlessly(MUTATIONS):
        changed = mutated(content, kind, seed)
        if changed is None or changed == content:  # a store that is gone is one that is new
            continue

        def judge(changed: bytes = changed) -> str:
            for rest in folder.glob("store.db*"):
                rest.unlink()
            url.write_bytes(changed)
            return judge_store(url, expected)

        yield Case(f"{kind} {seed}", judge)


NASTY: dict[str, Any] = {
    "null": None,
    "empty": "",
    "minus one": -1,
    "huge": 2**62,
    "infinite": 1e308 * 10,
    "nonsense": "nonsense",
    "half of JSON": '{"a": ',
    "list": "[1, 2]",
    "bytes": b"\x00\xff\xfe",
    "long": "A" * 1_000_000,
    "quotes": "'; DROP TABLE autometa_task; --",
    "markup": "<script>alert(1)</script>",
    "surrogate": "\\ud800",
    "deep": "[" * 5000,
}


def doctored_stores(folder: Path) -> Iterator[Case]:
    """A value of a row replaced, the checksum kept or taken away, which says that an older version wrote the row."""
    url = folder / "store.db"
    several(url)
    content, expected = url.read_bytes(), state_of_store(url)
    with contextlib.closing(sqlite3.connect(url)) as connection:
        columns = [
            (table, column[1])
            for table in ("autometa_task", "autometa_block")
            for column in connection.execute(f"PRAGMA table_info({table})")
        ]
    for row, unchecked, (table, column), value in itertools.product(range(6), (False, True), columns, NASTY):

        def judge(row: int = row, unchecked: bool = unchecked, table=table, column=column, value=value) -> str:
            for rest in folder.glob("store.db*"):
                rest.unlink()
            url.write_bytes(content)
            with contextlib.closing(sqlite3.connect(url)) as connection, connection:
                connection.execute("PRAGMA ignore_check_constraints = 1")
                where = f"rowid = (SELECT rowid FROM {table} ORDER BY fingerprint LIMIT 1 OFFSET {row})"
                try:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (NASTY[value],))
                except sqlite3.IntegrityError:
                    return HARMLESS  # the database refuses it
                if unchecked and table == "autometa_task":
                    connection.execute("UPDATE autometa_task SET checksum = NULL")
            verdict = judge_store(url, expected)
            # Without a checksum nobody can say that a value is not the one that was written.
            return HARMLESS if unchecked and verdict == "silently other values" else verdict

        yield Case(f"{table}.{column} {value} {row} {'unchecked' if unchecked else 'checked'}", judge)


def hostile_exports(folder: Path) -> Iterator[Case]:
    """A column of an export replaced, dropped or of another type, a file of it damaged; the manifest vouches for it."""
    several(folder / "theirs.db", 2).export(folder / "whole")
    several(folder / "mine.db", 1)
    mine = (folder / "mine.db").read_bytes()

    def case(name: str, change: Callable[[Path], None]) -> Case:
        def judge() -> str:
            shutil.rmtree(folder / "export", ignore_errors=True)
            shutil.copytree(folder / "whole", folder / "export")
            for rest in folder.glob("mine.db*"):
                rest.unlink()
            (folder / "mine.db").write_bytes(mine)
            try:
                change(folder / "export")
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError):
                return HARMLESS  # no such value in a column of this type
            return judge_import(folder / "mine.db", folder / "export")

        return Case(name, judge)

    shapes: dict[str, Callable[[pa.Table], pa.Table]] = {
        "none of the rows": lambda table: table.slice(0, 0),
        "half of the rows": lambda table: table.slice(0, len(table) // 2),
        "each row twice": lambda table: pa.concat_tables([table, table]),
        "a column more": lambda table: table.append_column("more", pa.array(range(len(table)))),
        "columns reversed": lambda table: table.select(table.column_names[::-1]),
        "rows reversed": lambda table: table.take(list(range(len(table)))[::-1]),
    }
    for name in ("tasks.parquet", "evaluations.parquet"):
        there = pq.read_schema(folder / "whole" / name)
        for shape, change in shapes.items():
            yield case(f"{name} {shape}", lambda e, name=name, change=change: doctored(e, name, change))
        for column in there.names:
            without = lambda table, column=column: table.drop_columns([column])  # noqa: E731
            yield case(f"{name} without {column}", lambda e, name=name, change=without: doctored(e, name, change))
            for kind in (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.list_(pa.string()), pa.binary()):
                retyped = lambda table, column=column, kind=kind: _retyped(table, column, kind)  # noqa: E731
                yield case(f"{name} {column} as {kind}", lambda e, name=name, change=retyped: doctored(e, name, change))
            for what, value in {
                **NASTY,
                "list of infinity": [float("inf")],
                "no list": [],
                "NaN": float("nan"),
            }.items():
                change = with_column(column, value)
                yield case(f"{name} {column} {what}", lambda e, name=name, change=change: doctored(e, name, change))
    for seed, kind, name in endlessly(MUTATIONS, ("manifest.json", "tasks.parquet", "evaluations.parquet")):

        def damage(export: Path, seed: int = seed, kind: str = kind, name: str = name) -> None:
            changed = mutated((export / name).read_bytes(), kind, seed)
            (export / name).unlink() if changed is None else (export / name).write_bytes(changed)

        yield case(f"{name} {kind} {seed}", damage)


def _retyped(table: pa.Table, column: str, kind: pa.DataType) -> pa.Table:
    """A column of another type, all of it missing."""
    return table.set_column(table.column_names.index(column), column, pa.nulls(len(table), kind))


# -------------------------------------------------------------------------------------------------------- foreign code


class Touching(Trap):
    """Touches a file by a command of the system."""

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


def _pickled(mark: Path, content: bytes) -> bytes:
    return pickle.dumps(Trap(mark, content))


def _commanding(mark: Path, content: bytes) -> bytes:
    return pickle.dumps(Touching(mark, content))


def _oldest_protocol(mark: Path, content: bytes) -> bytes:
    return f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()


def _array_of_objects(mark: Path, content: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Touching(mark, content), None], dtype=object), allow_pickle=True)
    return file.getvalue()


def _archive_of_objects(mark: Path, content: bytes) -> bytes:
    file = io.BytesIO()
    names = ("n", "train", "test", "assigned", "folds", "repeats")
    np.savez(file, **{name: np.array([Touching(mark, content), None], dtype=object) for name in names})
    return file.getvalue()


def _record_of_code(mark: Path, content: bytes) -> bytes:
    return json.dumps({"format": 2, "schema": {"record": "os.system", "fields": {"command": f"touch {mark}"}}}).encode()


TRAPS = (_pickled, _commanding, _oldest_protocol, _array_of_objects, _archive_of_objects, _record_of_code)


def strangers_runs(folder: Path) -> Iterator[Case]:
    """A file of a run is a trap; the run comes with its owner's signatures or without, and a command meets it."""
    whole, frame = made(folder.parent / "made") / "run", a_table().drop(columns="y")
    frame.to_csv(folder / "table.csv", index=False)
    every = [*itertools.product([*files_of(whole), "task/task.pickle"], TRAPS, (True, False), COMMANDS)]
    random.Random(0).shuffle(every)
    for name, trap, signed, command in every:

        def judge(name: str = name, trap=trap, signed: bool = signed, command: str = command) -> str:
            run, mark = folder / "copy", folder / "sprung"
            mark.unlink(missing_ok=True)
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(whole, run)
            path = run / name
            path.write_bytes(trap(mark, path.read_bytes() if path.exists() else b"N."))
            for seal in run.rglob("*.seal") if not signed else ():
                seal.unlink()
            codes = [commanded(*arguments(command, run, folder / "table.csv"))]
            codes.append(commanded("predict", run, folder / "table.csv"))
            if mark.exists():
                return "code ran"
            for code, text in codes:
                if code not in (0, 2, 3) or "Traceback" in text:
                    return f"exit code {code}: {text.strip()[-160:]}"
            return NAMED if codes[0][0] else HARMLESS

        yield Case(f"{name} {trap.__name__} {'signed' if signed else 'unsigned'} {command}", judge)


# -------------------------------------------------------------------------------------------------------------- tables


def tables() -> dict[str, bytes]:
    """One table in every format that is read."""
    frame = a_table().rename(columns={"y": "target"})
    frame["t"] = pd.date_range("2020-01-01", periods=len(frame)).strftime("%Y-%m-%d")
    frame["price"] = [f"{x:.2f} EUR".replace(".", ",") for x in frame["a"] + 10]
    csv = frame.to_csv(index=False).encode()
    files = {
        "csv": csv,
        "csv of Windows": frame.to_csv(index=False, sep=";", lineterminator="\r\n").encode("utf-16"),
        "csv in gzip": gzip.compress(csv, mtime=0),
        "tsv": frame.to_csv(index=False, sep="\t").encode(),
        "json": frame.to_json(orient="records").encode(),
        "json lines": frame.to_json(orient="records", lines=True).encode(),
        "arff": _arff(frame),
    }
    typed = pa.Table.from_pandas(frame.assign(t=pd.to_datetime(frame["t"]), k=pd.Categorical(frame["colour"])))
    for name, write in {
        "parquet": lambda sink: pq.write_table(typed, sink),
        "feather": lambda sink: pa.feather.write_feather(typed, sink),
        "feather, uncompressed": lambda sink: pa.feather.write_feather(typed, sink, compression="uncompressed"),
    }.items():
        sink = io.BytesIO()
        write(sink)
        files[name] = sink.getvalue()
    return files


def _arff(frame: pd.DataFrame) -> bytes:
    kinds = {"a": "numeric", "b": "numeric", "c": "numeric", "colour": "{red,blue}", "target": "{no,yes}"}
    lines = ["@relation r", *(f"@attribute {name} {kinds.get(name, 'string')}" for name in frame), "@data"]
    quoted = frame.assign(**{name: "'" + frame[name] + "'" for name in ("note", "t", "price")})
    return ("\n".join(lines) + "\n" + quoted.to_csv(index=False, header=False, na_rep="?", quotechar="`")).encode()


OPTIONS: tuple[dict[str, Any], ...] = ({}, {"target": "target"}, {"target": "target", "time_order": "t"})


def mutated_tables(folder: Path) -> Iterator[Case]:
    """Bytes of a table changed, once or several times over."""
    import pyarrow.feather  # noqa: F401

    files = tables()
    for seed, (name, content), kind in endlessly(files.items(), MUTATIONS):
        options = OPTIONS[seed % len(OPTIONS)]
        changed = mutated(content, kind, seed)
        for more in range(seed % 4):  # the first seed changes once
            changed = changed and mutated(changed, random.Random(f"{seed} {more} {name}").choice([*MUTATIONS]), more)
        if changed is None or changed == content:
            continue
        yield Case(f"{name} {kind} {seed}", lambda changed=changed, options=options: judge_table(changed, **options))


# ------------------------------------------------------------------------------------------------------------ searches

# A forkserver that loads what two cheap families need begins in a second instead of ten.
LIGHT = """
from autometa.evaluation.isolation import Isolation
Isolation.__init__.__kwdefaults__["preload"] = (
    "autometa.evaluation.trial", "sklearn.pipeline", "sklearn.naive_bayes", "sklearn.neighbors")
"""


class Search:
    """A search in a process of its own, and what it has said so far."""

    def __init__(self, folder: Path) -> None:
        """Begins, or goes on, in `folder`; what it leaves in its temporary folder shows."""
        folder.mkdir(exist_ok=True)
        self.folder, self.temporary = folder, folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(self.temporary)}
        command = [sys.executable, "-c", LIGHT + SCRIPT, str(folder), "10000"]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
        )
        self.finished: set[int] = set()

    def until(self, trials: int) -> None:
        """Waits until so many more trials were reported."""
        self.finished |= wait_for_trials(self.process, trials)

    @property
    def family(self) -> list[psutil.Process]:
        """Everything that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def end(self, number: int) -> None:
        """Sends a signal, waits for the end, and asserts that nothing outlives it."""
        family = self.family
        self.process.send_signal(number)
        out, self.said = self.process.communicate(timeout=300)
        self.finished |= {int(line.split()[1]) for line in out.splitlines() if line.startswith("finished")}
        _, alive = psutil.wait_procs(family, timeout=120)
        alive = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        assert not alive, f"{len(alive)} processes outlive it"


def killed_searches(folder: Path) -> Iterator[Case]:
    """kill -9 at a random moment, the start and the end of a search among them; every fifth run goes on to its end."""
    for seed in itertools.count():
        draw = random.Random(seed)
        chain = folder / f"chain{seed // 5}"
        waits, seconds = draw.choice([0, 0, 1, 1, 2, 3]), draw.uniform(0, 1)
        seconds *= 4 if waits == 0 else 1

        def judge(chain: Path = chain, waits: int = waits, seconds: float = seconds, last: bool = seed % 5 == 4) -> str:
            search = Search(chain)
            if waits:
                search.until(waits)
            time.sleep(seconds)
            if last:
                if not search.finished:
                    search.until(1)
                search.process.send_signal(signal.SIGINT)
                time.sleep(2 * seconds)  # while it ends
            search.end(signal.SIGKILL)
            said = chain / "said.json"
            before = set(json.loads(said.read_text())) if said.exists() else set()
            said.write_text(json.dumps(sorted(before | search.finished)))
            reported = before | search.finished
            if (chain / "run" / "run.json").exists():
                run = Run.open(chain / "run")
                with run.locked():
                    numbers = [row.number for row in run.trials(run.study(repair=True))]
                assert reported <= set(numbers), f"finished trials are lost: {sorted(reported - set(numbers))}"
                assert len(numbers) == len(set(numbers)), "a trial is there twice"
            else:
                assert not reported, "the run is gone"
            if last:
                end_well(Search(chain), reported)
                shutil.rmtree(chain)
            return HARMLESS

        yield Case(f"{seed}: {seconds:.2f} s after {waits} trials", judge)


def end_well(search: Search, reported: set[int]) -> None:
    """Goes on, is told to end, and leaves a whole run and nothing else."""
    search.until(1)
    search.end(signal.SIGINT)
    run = search.folder / "run"
    result = open_run(run)
    numbers = [row.number for row in result.trials]
    assert reported | search.finished <= set(numbers), "finished trials are lost"
    assert len(numbers) == len(set(numbers)), "a trial is there twice"
    assert load_model(run).members
    assert commanded("verify", run)[0] == 0, "not whole"
    assert not left_behind(run), f"left behind: {left_behind(run)}"
    assert not list(search.temporary.iterdir()), f"left behind: {list(search.temporary.iterdir())}"


def lost_forkservers(folder: Path) -> Iterator[Case]:
    """The process that starts trials killed or stopped, or a trial killed, in the midst of a search."""
    search: list[Search] = []
    for seed in itertools.count():
        draw = random.Random(seed)
        what = draw.choice(["kill the forkserver", "stop the forkserver", "kill a trial", "crash a trial"])
        seconds = draw.uniform(0, 0.5)

        def judge(seed: int = seed, what: str = what, seconds: float = seconds) -> str:
            if not search:
                search.append(Search(folder / f"search{seed}"))
                search[0].until(1)
            try:
                time.sleep(seconds)
                server = psutil.Process(search[0].process.pid).children()
                number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "crash": signal.SIGSEGV}[what.split()[0]]
                for process in server if "forkserver" in what else (t for one in server for t in one.children()):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.send_signal(number)
                search[0].until(2)
                if seed % 20 == 19:
                    search[0].end(signal.SIGINT)
                    assert open_run(search[0].folder / "run").interrupted
                    assert not left_behind(search[0].folder / "run")
                    search.clear()
            except BaseException:
                if search:
                    search.pop().process.kill()
                raise
            return HARMLESS

        yield Case(f"{seed}: {what} after {seconds:.2f} s", judge)


def told_to_end(folder: Path) -> Iterator[Case]:
    """SIGINT, SIGTERM and SIGHUP, once or twice, at a random moment: its best so far, or else it can be resumed."""
    for seed in itertools.count():
        draw = random.Random(seed)
        number = draw.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        again = draw.random() < 0.4 and number != signal.SIGINT
        waits, seconds = draw.choice([0, 1, 2]), draw.uniform(0, 1)

        def judge(seed: int = seed, number=number, again: bool = again, waits: int = waits, seconds=seconds) -> str:
            search = Search(folder / f"search{seed}")
            if waits:
                search.until(waits)
            time.sleep(seconds)
            if again:
                search.process.send_signal(number)
                time.sleep(seconds / 10)
            search.end(number)
            run = folder / f"search{seed}" / "run"
            if (run / "result.json").exists():
                assert open_run(run).interrupted
                assert load_model(run).members
            else:
                assert not waits, f"no result: {search.said[-160:]}"
                end_well(Search(search.folder), search.finished)
            assert not left_behind(run), f"left behind: {left_behind(run)}"
            shutil.rmtree(search.folder)
            return HARMLESS

        twice = " twice" if again else ""
        yield Case(f"{seed}: {number.name}{twice} {seconds:.2f} s after {waits} trials", judge)


def killed_writers(folder: Path) -> Iterator[Case]:
    """Four processes write one store, and one is killed in the midst of it."""
    for seed in itertools.count():
        seconds = random.Random(seed).uniform(0, 0.3)

        def judge(seed: int = seed, seconds: float = seconds) -> str:
            url, times = folder / f"store{seed}.db", 8
            writers = begun_at_once([[WRITER, url, k, times] for k in range(4)])
            time.sleep(seconds)
            writers[0].kill()
            for writer in writers:
                writer.communicate(timeout=300)
            assert [writer.returncode for writer in writers[1:]] == [0] * 3, "a writer was refused"
            store = MetaStore(url)
            written = [int(task.fingerprint, 16) for task in store.tasks()]
            assert [n for n in written if n >= 1000] == [1000 * who + k for who in (1, 2, 3) for k in range(times)]
            assert [n for n in written if n < 1000] == list(range(len(written) - 3 * times)), "a write was lost"
            assert store.verify() == []
            return HARMLESS

        yield Case(f"{seed}: after {seconds:.2f} s", judge)


def faults_of_the_system(folder: Path) -> Iterator[Case]:
    """A full disk, no home, closed streams, a clock that jumps, hostile tables by hand: each as its test makes it."""
    tests = Path(__file__).parent
    pytest = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    files = [str(path) for path in (tests / "test_system.py", tests / "test_hostile_tables.py") if path.exists()]
    asked = subprocess.run(
        [*pytest, "--collect-only", *files], cwd=tests.parents[1], capture_output=True, text=True, check=False
    )
    for name in [line for line in asked.stdout.splitlines() if "::test_" in line]:

        def judge(name: str = name) -> str:
            done = subprocess.run(
                [*pytest, name], cwd=tests.parents[1], capture_output=True, text=True, check=False, timeout=LONGEST
            )
            failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            return HARMLESS if done.returncode == 0 else f"{' '.join(failed)[-300:] or done.stderr[-300:]}"

        yield Case(name.rpartition("/")[2], judge)


KINDS: dict[str, Kind] = {
    "kill": Kind("`fit` killed (-9) at a random moment, and resumed", killed_searches, 8.0),
    "forkserver": Kind("the forkserver killed or stopped, a trial killed or crashed", lost_forkservers, 2.0),
    "signal": Kind("told to end (SIGINT, SIGTERM, SIGHUP) at a random moment", told_to_end, 3.0),
    "writers": Kind("one of four writers of a store killed", killed_writers, 1.5),
    "system": Kind(
        "the system: full disk, no home, closed streams, clock, limits; hostile tables by hand",
        faults_of_the_system,
        3.0,
    ),
    "run": Kind("a file of a run damaged", damaged_runs, 4.0),
    "store": Kind("the file of a store damaged", damaged_stores, 1.0),
    "row": Kind("a value in a store changed", doctored_stores, 1.0),
    "export": Kind("a hostile or damaged export imported", hostile_exports, 1.5),
    "code": Kind("a file of a run replaced by code", strangers_runs, 4.0),
    "table": Kind("a table damaged, in every format", mutated_tables, 3.0),
}
