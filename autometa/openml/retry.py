"""What the client does not give its requests: a time limit, and patience with what passes.

It is given to every request of the process, beneath the client, which is left as it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

STALL = 20.0  # seconds that a server may stay silent within one request
TRIES = 12  # of one request; their pauses add up to 19 s
REFUSED_TRIES = 3  # of one to a server that is not there at all


class Offline(Exception):
    """The network was needed."""


def be_patient(tell: Callable[[str], None], *, offline: bool) -> None:
    """Gives every request of this process what the client does not: a time limit, and patience with what passes."""
    import requests
    import urllib3
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError, Timeout

    passing = (requests.exceptions.ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)
    pool, session = urllib3.connectionpool.HTTPConnectionPool, requests.Session
    plain_open = getattr(pool.urlopen, "plain", pool.urlopen)
    plain_send = getattr(session.send, "plain", session.send)

    def urlopen(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        if offline:
            raise Offline(url)
        return plain_open(self, method, url, *args, **{**options, "timeout": urllib3.Timeout(STALL)})

    def send(self: Any, request: Any, **options: Any) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                response = plain_send(self, request, **options)
                why = _passing(response, repeatable=_repeatable(request))
                if why is None or attempt == TRIES:
                    return response
            except passing as error:
                absent = "NewConnectionError" in repr(error)
                if attempt >= (REFUSED_TRIES if absent else TRIES) or not (absent or _repeatable(request)):
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
    """Seconds before the next attempt; attempts count from 1."""
    return min(0.1 * 1.6 ** (attempt - 1), 4.0)


def _repeatable(request: Any) -> bool:
    """Whether sending it twice does no harm: nobody knows what became of an upload that broke off."""
    return request.method == "GET" or request.path_url.split("?")[0].endswith("/exists")


def _passing(response: Any, *, repeatable: bool) -> str | None:
    """Why an answer is not one to keep but will be good another time; None when it is good, or final."""
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
    "Read timed out": f"no answer for {STALL:g} s",
    "ReadTimeout": f"no answer for {STALL:g} s",
    "RemoteDisconnected": "the connection was closed",
    "ConnectionResetError": "the connection was closed",
}
