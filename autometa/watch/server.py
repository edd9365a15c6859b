"""The page over HTTP, by the standard library: GET / and GET /state, for who knows the token.

One look at the run serves all pages that ask, and nothing is read again while nothing has changed.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from autometa.errors import AutoMetaError
from autometa.listening import LOOPBACK, listen, names_us, url_of
from autometa.live import STAGES
from autometa.report.words import spoken_value
from autometa.search import Run, leaderboard
from autometa.search.sight import Sight, sight_of, stamp_of
from autometa.watch.followed import Followed
from autometa.watch.options import OPTIONS
from autometa.watch.page import contents_of, head_of, watch_page


class RunWatcher:
    """A run that is looked at, and what was seen last.

    Args:
        folder: Of the run; it need not be there yet where a search `followed` is about to make it.
        followed: What the search says of itself, in whose process this is; None for a run of another process.
        trusted: Read the table of a run of an older version though somebody else made it.

    See Also:
        `watching`, which serves it.

    Example:
        >>> watcher = RunWatcher(run)
        >>> told = watcher.told("")
        >>> told["state"], told["done"], sorted(told["sections"])[:3]
        ('finished', 1, ['failures', 'leaderboard', 'memory'])
        >>> watcher.told(told["version"])["sections"]  # nothing is new
        {}
    """

    def __init__(self, folder: Path, followed: Followed | None = None, *, trusted: bool = False) -> None:
        self.folder, self.followed, self.trusted = folder, followed, trusted
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._stamp: Any = None
        self._sight: Sight | None = None
        self._at = 0.0
        self._contents: dict[str, str] = {}
        self._version = 0
        self._over = False
        self._asked = self._told_over = 0.0  # when a page last asked, and when one was told of the end

    def told(self, known: str) -> dict[str, Any]:
        """What a page is told that has the version `known`: times always, the sections where they are others."""
        with self._lock:
            self._asked = time.monotonic()
            wrong = ""
            try:
                self._look()
            except (AutoMetaError, OSError) as error:
                wrong = f"The run cannot be read: {error}"
            sight, version = self._sight, f"{self._version}"
            if sight is None:
                return {"version": "", "state": "waiting", "elapsed": 0.0, "seconds": None, "trials": None, "done": 0,
                        "sections": {"now": self._stage()}, "wrong": wrong}  # fmt: skip
            if sight.state == "finished" and (self.followed is None or self._over):
                self._told_over = self._asked
            aged = time.monotonic() - self._at if sight.state == "running" else 0.0
            metric = sight.result.task.metric
            leaders = leaderboard(sight.result.trials, metric)
            return {
                "version": version,
                "state": sight.state if self.followed is None or self._over else "running",
                "title": spoken_value(metric, leaders[0].evaluation.scores[metric]) if leaders else "",
                "what": head_of(sight),
                "elapsed": sight.elapsed + aged,
                "seconds": sight.seconds,
                "trials": sight.trials,
                "done": len(sight.result.trials),
                "sections": {} if known == version else self._contents,
                "wrong": wrong,
            }

    def _look(self) -> None:
        """Looks at the run where something has changed; a run that nobody writes to may have been left."""
        if self._run is None:
            if self.followed is not None and not (self.folder / "run.json").exists():
                return
            self._run = Run.open(self.folder, trusted=self.trusted)
        said = None if self.followed is None else (self.followed.now, len(self.followed.notes), self._over)
        quiet = self._sight is not None and self._sight.state == "running" and time.monotonic() - self._at > 5.0
        stamp = (stamp_of(self.folder), said)
        if stamp == self._stamp and not quiet:
            return
        sight = sight_of(self._run)
        self._sight, self._stamp, self._at = sight, stamp, time.monotonic()
        notes = [] if self.followed is None else self.followed.notes
        contents = contents_of(sight, self._stage(), notes)
        if contents != self._contents:
            self._contents, self._version = contents, self._version + 1

    def _stage(self) -> str:
        """What the search in this process is doing, in words."""
        if self.followed is None or self._over:
            return ""
        name, detail = self.followed.now
        words = STAGES.get(name, name)
        return f"{words[:1].upper()}{words[1:]}{f' ({detail})' if detail else ''}"

    def end(self) -> None:
        """The search in this process is over: a page that looked lately is given the time to hear of it."""
        self._over = True
        until = time.monotonic() + OPTIONS.goodbye_seconds
        while (
            time.monotonic() < until
            and self._told_over < self._asked
            and (time.monotonic() - self._asked < OPTIONS.goodbye_seconds)
        ):
            time.sleep(0.05)


class _Handler(BaseHTTPRequestHandler):
    """Answers one page; the class that is used has its watcher and token."""

    watcher: RunWatcher
    token: str
    timeout = OPTIONS.patient_seconds
    server_version, sys_version = "AutoMeta", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The page, and what is new on it."""
        asked = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if not names_us(self.headers.get("Host")):
            self._send(421, {"error": "Ask 127.0.0.1 or localhost."})
        elif not secrets.compare_digest(query.get("token", "").encode(), self.token.encode()):
            self._send(403, {"error": "The token is missing or wrong: use the address that autometa printed."})
        elif asked.path == "/":
            self._write(
                200, "text/html; charset=utf-8", watch_page(self.watcher.folder.name).encode("utf-8", "replace")
            )
        elif asked.path == "/state":
            self._send(200, self.watcher.told(query.get("known", "")))
        else:
            self._send(404, {"error": "There is / and /state."})

    def _send(self, status: int, value: Any) -> None:
        self._write(status, "application/json", json.dumps(value, allow_nan=False).encode())

    def _write(self, status: int, kind: str, content: bytes) -> None:
        with suppress(ConnectionError, TimeoutError):  # whoever asked went away
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(content))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),  # the address holds the token
                ("Connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
        """Says nothing: standard error is the search's."""


class _PageServer(ThreadingHTTPServer):
    """On a socket that listens already."""

    daemon_threads = True

    def __init__(self, made: socket.socket, handler: type[_Handler]) -> None:
        super().__init__(made.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = made

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no fault of the search."""


@contextmanager
def watching(watcher: RunWatcher, port: int = 0) -> Iterator[str]:
    """Serves a watcher to this machine for as long as the block runs; gives the address, with its token.

    Args:
        watcher: What is shown.
        port: 0 is any that is free.

    Raises:
        InputError: The port cannot be had.

    Example:
        >>> with watching(RunWatcher(run)) as address:
        ...     address
        'http://127.0.0.1:.../?token=...'
    """
    made, token = listen(LOOPBACK, port), secrets.token_urlsafe(24)
    handler = type("_OwnHandler", (_Handler,), {"watcher": watcher, "token": token})
    server = _PageServer(made, handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="watch")
    thread.start()
    try:
        yield f"{url_of(made, LOOPBACK)}?token={token}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
