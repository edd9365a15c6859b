"""A real browser, headless, for tests that click: Chromium, told what to do through a pipe (its DevTools protocol).

with Browser(tmp_path) as browser:
    page = browser.open("http://127.0.0.1:8000/", width=390)
    page.evaluate("document.title")
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

SECONDS = 60  # that an answer may take: the machine may be busy
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip


WIRED = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""  # it reads from 3 and writes to 4


class Browser:
    """A Chromium of its own, ended with the block; where there is none, the test is skipped."""

    def __init__(self, folder: Path) -> None:
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if program is None:
            pytest.skip("needs Chromium, which is not installed")
        theirs, self._to = os.pipe()
        self._from, ours = os.pipe()
        words = [program, *QUIET, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank"]
        fed = [sys.executable, "-c", WIRED, str(theirs), str(ours), *words]
        self._process = subprocess.Popen(
            fed, pass_fds=(theirs, ours), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs)
        os.close(ours)
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[Any]] = {}
        self.pages: dict[str, Page] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join(SECONDS)
        os.close(self._to)
        os.close(self._from)

    def _listen(self) -> None:
        left = b""
        while part := os.read(self._from, 1 << 16):
            *whole, left = (left + part).split(b"\0")
            for text in whole:
                told = json.loads(text)
                if "id" in told:
                    self._answers[told["id"]].put(told)
                elif (page := self.pages.get(told.get("sessionId", ""))) is not None:
                    page.heard(told["method"], told["params"])

    def ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """What the browser answers."""
        number = next(self._numbers)
        waiting = self._answers.setdefault(number, queue.Queue())
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._to, json.dumps(message).encode() + b"\0")
        found = waiting.get(timeout=SECONDS)
        assert "error" not in found, found
        return found["result"]

    def open(self, url: str, *, width: int = 1280, height: int = 1000) -> Page:
        """A page in a tab of its own, loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for room in ("Page", "Runtime", "Log", "Network"):
            page.ask(f"{room}.enable")
        page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        page.ask("Page.navigate", url=url)
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page


class Page:
    """A tab: what it shows, what it asked for, and what it complained about."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.ask(method, self._session, **params)

    def heard(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.complaints.append(params["entry"]["text"])

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript on the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, condition: str) -> Any:
        """Waits until an expression is true; gives its value."""
        until = time.monotonic() + SECONDS
        while not (found := self.evaluate(condition)):
            assert time.monotonic() < until, f"not within {SECONDS} s: {condition}"
            time.sleep(0.05)
        return found

    def is_whole(self) -> bool:
        """Whether nothing stands outside of the screen to the right."""
        return bool(self.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
