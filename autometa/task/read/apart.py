"""Files whose readers can crash or exhaust the process that reads them are read in one of its own.

Parquet and feather are read by code in C++, which a damaged or hostile file can send beyond its memory: a
segmentation fault, or all the memory there is. `read_apart` has `worker` read them under a deadline and a cap, and
takes a table whose every offset was checked. It costs 0.27 CPU seconds, nearly all of them PyArrow's import
(`os.times` around `read_table`: 20 rows of parquet 0.27, 300,000 rows 0.33).

Law: whatever is in the file, this process goes on, and says what came of it.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from autometa.errors import InputError
from autometa.files import nameless
from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.limits import Limits

Format = Literal["parquet", "feather"]

_AGAIN = "Fetch or write the file again."


@dataclass(frozen=True, slots=True)
class ReadApart:
    """A table that was read in another process."""

    table: Any  # of PyArrow, (n, p), its columns named by their places
    names: list[str]  # (p,)


def read_apart(data: bytes, format_: Format, findings: InputFindings, limits: Limits) -> ReadApart | None:
    """The table in the bytes of a file; None, with a problem, where it is damaged or too much."""
    try:
        with nameless() as source, nameless() as out:
            source.write(data)
            source.seek(0)
            code, said = _run(format_, source.fileno(), out.fileno(), len(data), limits)
            answer: dict[str, Any] = json.loads(said) if code == 0 and said else {"died": code}
            if "names" in answer:
                return ReadApart(_table(out.fileno()), answer["names"])
            _refuse(answer, format_, findings, limits)
    except subprocess.TimeoutExpired as error:
        findings.refuse(f"reading it as {format_} takes longer than {error.timeout:.0f} s", _AGAIN)
    except OSError as error:  # no space for a temporary file, no more processes
        findings.refuse(f"cannot be read in a process of its own: {error.strerror or error}")
    return None


def survey_apart(file: IO[bytes], limits: Limits, rows: int) -> dict[str, Any] | None:
    """What has to be known of a parquet file on the disk before it is read part by part.

    Its ``names`` and ``rows``, and of each column its kind, whether it has missing cells, and whether float64 would
    merge its whole numbers. None where it has to be read in one piece, which may say what is wrong with it.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    try:
        with _started("parquet", file.fileno(), file.fileno(), size, limits, "survey", rows) as process:
            try:
                said, _ = process.communicate(timeout=_seconds(size))
            finally:
                process.kill()
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer: dict[str, Any] = json.loads(said) if process.returncode == 0 and said else {}
    return answer if "names" in answer else None


def stream_apart(file: IO[bytes], name: str, limits: Limits, rows: int, columns: Sequence[str]) -> Iterator[Any]:
    """Some columns of a parquet file on the disk as tables of PyArrow, as another process reads them.

    Args:
        file: The file.
        name: What messages call it.
        limits: Of what is read.
        rows: Of one table, at most.
        columns: Those that are read; a table has them by their places.

    Raises:
        InputError: It is damaged or too much, which may show after the first rows.
    """
    import pyarrow as pa

    findings = InputFindings(name)
    size = os.fstat(file.fileno()).st_size
    seconds = _seconds(size)
    reading, writing = os.pipe()
    file.seek(0)
    with (
        os.fdopen(reading, "rb") as pipe,
        _started("parquet", file.fileno(), writing, size, limits, "stream", rows, columns) as process,
    ):
        os.close(writing)
        try:
            with _deadline(process, seconds):
                stream = pa.ipc.open_stream(pipe) if pipe.peek(1) else ()
            batches = iter(stream)
            while True:
                with _deadline(process, seconds):
                    batch = next(batches, None)
                if batch is None:
                    break
                yield pa.Table.from_batches([batch])
        except GeneratorExit:
            process.kill()
            raise
        except (pa.ArrowException, OSError):  # the other process died over it: its answer says why
            process.kill()
        said, _ = process.communicate(timeout=seconds)
    answer: dict[str, Any] = json.loads(said) if process.returncode == 0 and said else {"died": process.returncode}
    if "names" not in answer:
        _refuse(answer, "parquet", findings, limits)
        raise InputError(findings.problems)


@contextmanager
def _deadline(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Ends a process that is not done in time."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _run(format_: Format, source: int, out: int, size: int, limits: Limits) -> tuple[int, bytes]:
    """Exit code and answer of the process that reads.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
        OSError: It could not be started.
    """
    with _started(format_, source, out, size, limits) as process:
        try:
            said, _ = process.communicate(timeout=_seconds(size))
        finally:
            process.kill()
    return process.returncode, said


def _seconds(size: int) -> int:
    """How long reading so many bytes may take."""
    return OPTIONS.apart_seconds + size // OPTIONS.apart_bytes_a_second


def _started(
    format_: Format,
    source: int,
    out: int,
    size: int,
    limits: Limits,
    does: Literal["read", "survey", "stream"] = "read",
    rows: int = 0,
    columns: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """The process that reads from one descriptor and writes to another: all of it, or some columns by so many rows."""
    asked = {
        "path": [str(place) for place in sys.path],
        "parent": os.getpid(),
        "format": format_,
        "source": source,
        "out": out,
        "does": does,
        "rows": rows,
        "columns": list(columns),
        "limits": asdict(limits),
        "threads": size > OPTIONS.threads_from_bytes,
        "seconds": 4 * _seconds(size),  # of all its threads
        "memory": OPTIONS.apart_bytes + min(2 * limits.size, _machine()),
    }
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("worker.py")), json.dumps(asked)]
    quiet = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}  # other pools reserve what they may need
    return subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[source, out],
        env=os.environ | quiet,
    )


def _machine() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _table(out: int) -> Any:
    """The table that was written to a descriptor, without a copy."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.py_buffer(mmap.mmap(out, 0, access=mmap.ACCESS_READ))).read_all()


def _refuse(answer: dict[str, Any], format_: Format, findings: InputFindings, limits: Limits) -> None:
    """Says why there is no table."""
    if "damaged" in answer:
        findings.refuse(f"damaged {format_} data: {' '.join(answer['damaged'].split())}", _AGAIN)
    elif answer.get("beyond") == "memory":
        findings.refuse(f"reading it as {format_} takes more memory than there is, or than --limits size={limits.size}")
    elif answer.get("beyond") == "cell":
        limits.allow_cell(answer["value"], findings, answer["column"])
    elif "beyond" in answer:
        noun = {"columns": "columns", "nesting": "types within one another", "size": "bytes as a table"}
        limits.refuse(answer["beyond"], f"{answer['value']:,} {noun[answer['beyond']]}", findings, answer["value"])
    else:
        code = answer["died"]
        name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
        findings.refuse(f"damaged {format_} data: whoever reads it crashes ({name})", _AGAIN)
