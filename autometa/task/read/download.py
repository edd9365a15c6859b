"""Tables at addresses on the web, http and https: fetched when that is asked for, and only then.

A server that is silent, slow or sends too much is given up; what is cut short is refused. A password in the address is
sent to its own host alone, and shown nowhere; nor is what stands behind a ``?``, which may be a key.
"""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from autometa.task.findings import InputFindings
from autometa.task.options import OPTIONS
from autometa.task.read.raw import ReadRequest

_AT_ONCE = 1 << 20  # bytes between two looks at the clock


def is_on_the_web(source: Any) -> bool:
    """Whether a source is an address on the web.

    Example:
        >>> is_on_the_web("https://example.org/a.csv"), is_on_the_web("a.csv")
        (True, False)
    """
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def shown_address(url: str) -> str:
    """An address without password and query.

    Example:
        >>> shown_address("https://me:secret@example.org/a.csv?key=1")
        'https://example.org/a.csv'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.split(":")[0] + "://..."
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetched(url: str, request: ReadRequest) -> tuple[bytes | None, InputFindings]:
    """The bytes at an address; None, with a problem, where they may not or cannot be had."""
    shown = shown_address(url)
    findings = InputFindings(shown.rstrip("/").rpartition("/")[2] or "download")
    problems = findings.at(shown)
    if not request.download:
        problems.refuse(
            "an address on the web, and nothing is fetched unasked", "--download (download=True) fetches it."
        )
        return None, findings
    started = time.monotonic()
    try:
        with urllib.request.urlopen(_asking(url), timeout=OPTIONS.download_silence) as answer:
            data = _content(answer, started, problems)
    except urllib.error.HTTPError as error:
        problems.refuse(f"the server answers {error.code} {error.reason}".rstrip(), "Is the address right?")
        return None, findings
    except urllib.error.URLError as error:
        problems.refuse(f"cannot be reached: {getattr(error.reason, 'strerror', None) or error.reason}")
        return None, findings
    except TimeoutError:
        problems.refuse(
            f"the server was silent for {OPTIONS.download_silence:g} s", "Try again later, or fetch it yourself."
        )
        return None, findings
    except (OSError, http.client.HTTPException, ValueError) as error:
        problems.refuse(f"cannot be fetched: {type(error).__name__}", "Is the address right?")
        return None, findings
    if data is not None:
        findings.note(f"Fetched {len(data):,} bytes from {shown}.")
    return data, findings


def _asking(url: str) -> urllib.request.Request:
    """The request for an address; its user and password go in a header that no redirection takes along."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    asking = urllib.request.Request(urlunsplit(parts._replace(netloc=host)), headers={"User-Agent": "autometa"})
    if user:
        asking.add_unredirected_header("Authorization", "Basic " + base64.b64encode(unquote(user).encode()).decode())
    return asking


def _content(answer: Any, started: float, problems: InputFindings) -> bytes | None:
    """The body of an answer; None, with a problem, where it is too much, too slow or cut."""
    announced = int(answer.headers.get("Content-Length") or -1)
    most = OPTIONS.download_bytes
    too_much = f"more than {most / 1e9:.1f} GB", "Fetch it yourself, and name the file."
    if announced > most:
        problems.refuse(*too_much)
        return None
    parts, size = [], 0
    while part := answer.read1(_AT_ONCE):
        parts.append(part)
        size += len(part)
        if size > most:
            problems.refuse(*too_much)
            return None
        if time.monotonic() - started > OPTIONS.download_seconds:
            problems.refuse(f"took more than {OPTIONS.download_seconds:g} s", "Fetch it yourself, and name the file.")
            return None
    if size < announced:
        problems.refuse(f"cut short: {size:,} of {announced:,} bytes came", "Try again.")
        return None
    return b"".join(parts)
