"""`fit`, `predict` and `report` speak to nobody but their storage.

Seen twice: by an audit hook in every Python process that they start, which hears sockets of Python, and where `strace`
is there by the system calls, which hears those of libraries, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autometa.store.address import locate

# Loaded by every interpreter that starts, the forkserver's among them; trials are its forks and inherit the hook.
HOOK = textwrap.dedent("""
    import os, sys

    def heard(event, arguments):
        if event.startswith("socket.") and event not in ("socket.gethostname", "socket.sethostname"):
            families = [getattr(a, "family", None) for a in arguments[:1]] + list(arguments[1:2])
            events = ("__new__", "connect", "bind", "sendto", "sendmsg")
            if event in [f"socket.{name}" for name in events] and 1 in families:
                return  # AF_UNIX: between our own processes
            if event == "socket.__new__" and arguments[1] == -1:
                return  # of a descriptor that is open already
            os.write(log, f"{event} {arguments!r}\\n".encode())

    log = os.open(os.environ["HEARD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.set_inheritable(log, True)
    sys.addaudithook(heard)
""")

EVERYTHING = textwrap.dedent("""
    import sys
    from autometa.cli import main

    run, table, store = sys.argv[1:]
    for words in (
        ["fit", table, "--target", "y", "--trials", "2", "--families", "linear,knn", "--run", run, "--store", store],
        ["predict", run, table, "--proba", "--out", f"{run}/answers.csv"],
        ["report", run],
    ):
        assert main(words) == 0, words
""")

CONTROL = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('127.0.0.1', 9)); socket.socketpair()"


def listening(folder: Path) -> dict[str, str]:
    """An environment in which every interpreter has the hook."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    path = os.pathsep.join(filter(None, [str(folder / "hook"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "HEARD": str(folder / "heard")}


def traced(command: list[object], folder: Path, **how) -> list[str] | None:
    """The sockets that a command and all that it started opened or connected; None where strace is not there."""
    words, log = list(map(str, command)), folder / "trace"
    if shutil.which("strace") is not None:
        trace = ["strace", "-f", "-qq", "-e", "trace=socket,connect,bind,sendto,sendmsg", "-e", "signal=none"]
        words = [*trace, "-o", str(log), *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False, **how)
    if shutil.which("strace") is not None and (not log.exists() or "ptrace" in done.stderr):
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return re.findall(r"(?:socket|connect|bind|sendto|sendmsg)\(.*", log.read_text()) if log.exists() else None


def beyond(calls: list[str]) -> list[str]:
    """Those that leave the machine's own sockets of files."""
    return [call for call in calls if re.search(r"AF_(?!UNIX|UNSPEC|LOCAL)[A-Z0-9]+", call)]


def test_nothing_opens_a_socket_but_to_its_own(labelled, tmp_path):
    environment = listening(tmp_path)
    calls = traced([sys.executable, "-c", CONTROL], tmp_path, env=environment)
    control = (tmp_path / "heard").read_text()
    assert "socket.connect" in control
    assert "127.0.0.1" in control
    assert calls is None or any("127.0.0.1" in call for call in beyond(calls))
    (tmp_path / "heard").unlink()
    command = [sys.executable, "-c", EVERYTHING, tmp_path / "run", labelled, tmp_path / "store.db"]
    calls = traced(command, tmp_path, env=environment)
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "heard").read_text() == ""
    assert calls is None or beyond(calls) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_only_address_is_that_of_the_storage(labelled, postgres, tmp_path):
    calls = traced([sys.executable, "-c", EVERYTHING, tmp_path / "run", labelled, postgres], tmp_path) or []
    assert (tmp_path / "run" / "report.html").exists()
    connected = [call for call in beyond(calls) if call.startswith(("connect", "sendto", "sendmsg"))]
    assert len(connected) >= 1
    port = locate(postgres).port
    assert [call for call in connected if f"htons({port})" not in call or "127.0.0.1" not in call] == []
