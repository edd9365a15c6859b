"""What the client does not give its requests: a time limit, and another attempt where the failure may pass.

Both are given to every request of the process, beneath the client, which is left as it is. A server that is busy, an
error of the server's (5xx), a closed connection and half an answer pass; a refusal does not. An upload that broke off
is not sent again here: it may have arrived.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from autometa.openml.options import OPTIONS


class NeedsNetwork(Exception):
    """A request was about to be sent, and the call is to be answered offline."""


def retry_requests(tell: Callable[[str], None], *, offline: bool) -> None:
    """Gives every request of this process a time limit and further attempts; called again, it replaces what it gave.

    Args:
        tell: Told of every attempt that failed, and how long the next one is waited for.
        offline: Every request raises `NeedsNetwork`.
    """
    import requests
    import urllib3
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError, Timeout

    passing = (requests.exceptions.ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
    pool, session = urllib3.connectionpool.HTTPConnectionPool, requests.Session
    plain_open = getattr(pool.urlopen, "plain", pool.urlopen)
    plain_send = getattr(session.send, "plain", session.send)

    def urlopen(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        if offline:
            raise NeedsNetwork(url)
        return plain_open(self, method, url, *args, **{**options, "timeout": urllib3.Timeout(OPTIONS.stall)})

    def send(self: Any, request: Any, **options: Any) -> Any:
        for attempt in range(1, OPTIONS.tries + 1):
            try:
                response = plain_send(self, request, **options)
                why = _passing(response, repeatable=_repeatable(request))
                if why is None or attempt == OPTIONS.tries:
                    return response
            except passing as error:
                absent = "NewConnectionError" in repr(error)
                tries = OPTIONS.refused_tries if absent else OPTIONS.tries
                if attempt >= tries or not (absent or _repeatable(request)):
                    raise
                why = brief(error)
            pause = pause_after(attempt)
            path = re.sub("^/api/v1/xml/", "", request.path_url.split("?")[0])
            tell(f"{path}: {why}; trying again in {pause:.1f} s")
            time.sleep(pause)
        raise AssertionError

    changes: tuple[tuple[Any, Any, Any], ...] = ((pool, urlopen, plain_open), (session, send, plain_send))
    for owner, changed, plain in changes:
        changed.plain = plain
        setattr(owner, changed.__name__, changed)


def pause_after(attempt: int) -> float:
    """Seconds before the next attempt; attempts count from 1.

    Example:
        >>> [round(pause_after(attempt), 2) for attempt in (1, 2, 11)]
        [0.1, 0.16, 4.0]
    """
    return min(OPTIONS.first_pause * OPTIONS.pause_growth ** (attempt - 1), OPTIONS.longest_pause)


def _repeatable(request: Any) -> bool:
    """Whether sending it twice does no harm: nobody knows what became of an upload that broke off."""
    return request.method == "GET" or request.path_url.split("?")[0].endswith("/exists")


def _passing(response: Any, *, repeatable: bool) -> str | None:
    """Why an answer is worth another attempt; None when it is good, or final."""
    from xml.etree import ElementTree

    if response.status_code == 412 and b"<oml:code>107<" in response.content:
        return "the server is busy"
    if not repeatable:
        return None
    if response.status_code >= 500:
        return f"HTTP {response.status_code}"
    if response.status_code in (200, 412) and "xml" in response.headers.get("Content-Type", ""):
        try:
            ElementTree.fromstring(response.content)
        except ElementTree.ParseError:
            return "the answer is cut"
    return None


def brief(error: BaseException) -> str:
    """What an exception says, in a few words where it is one of the usual ones."""
    said = repr(error)
    for sign, words in _SIGNS.items():
        if sign in said:
            return words
    if status := re.search(r"Status code: (\d+)", said):
        return f"HTTP {status[1]}"
    text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return text if len(text) <= 200 else f"{text[:200]} ..."


_SIGNS = {  # in order: the first that occurs is what happened
    "NameResolutionError": "no host of that name is known here",
    "Connection refused": "nothing answers there",
    "NewConnectionError": "no way leads there",
    "IncompleteRead": "the answer is cut",
    "Read timed out": f"no answer for {OPTIONS.stall:g} s",
    "ReadTimeout": f"no answer for {OPTIONS.stall:g} s",
    "RemoteDisconnected": "the connection was closed",
    "ConnectionResetError": "the connection was closed",
}
