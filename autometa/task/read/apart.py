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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

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


def _run(format_: Format, source: int, out: int, size: int, limits: Limits) -> tuple[int, bytes]:
    """Exit code and answer of the process that reads.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
        OSError: It could not be started.
    """
    seconds = OPTIONS.apart_seconds + size // OPTIONS.apart_bytes_a_second
    asked = {
        "path": [str(place) for place in sys.path],
        "parent": os.getpid(),
        "format": format_,
        "source": source,
        "out": out,
        "limits": asdict(limits),
        "threads": size > OPTIONS.threads_from_bytes,
        "seconds": 4 * seconds,  # of all its threads
        "memory": OPTIONS.apart_bytes + min(2 * limits.size, _machine()),
    }
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("worker.py")), json.dumps(asked)]
    quiet = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}  # other pools reserve what they may need
    with subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[source, out],
        env=os.environ | quiet,
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        finally:
            process.kill()
    return process.returncode, said


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
