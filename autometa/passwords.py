"""Passwords in URLs, kept out of whatever is written, shown or logged.

Law: a text that went through `masked` has no password of a URL left in it, however the URL is broken; what is kept of a
URL is `without_password`, and whoever opens it again finds the password where it is kept: in the environment
(AUTOMETA_STORE, PGPASSWORD) or in ``~/.pgpass``.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

# `user:password@` behind a scheme, up to the last @ of the word: a password may hold any of the signs before it.
_USERINFO = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.\-]*:/{0,3})(?P<user>[^\s:/@]*):(?P<password>[^\s'\"]*)@")
_PARAMETER = re.compile(
    r"(?P<name>(?<![A-Za-z])(?:ssl)?(?:password|passwd|pwd))=(?P<password>[^\s&;'\"]*)", re.IGNORECASE
)


def masked(text: str) -> str:
    """A text with ``***`` in place of every password of a URL.

    Example:
        >>> masked("postgresql://me:secret@host/db and ?user=me&password=secret")
        'postgresql://me:***@host/db and ?user=me&password=***'
        >>> masked("postgresql:/me:a/b@c@host"), masked("at 10:30 a@b.c")
        ('postgresql:/me:***@host', 'at 10:30 a@b.c')
    """
    return _PARAMETER.sub(r"\g<name>=***", _USERINFO.sub(r"\g<scheme>\g<user>:***@", text))


def wipe_command_line() -> None:
    """Overwrites passwords in what the list of processes shows of this one; where it cannot be done, nothing happens.

    On Linux alone: the place of the command line in memory is known there (fields 48 and 49 of ``/proc/self/stat``).
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        shown = Path("/proc/self/cmdline").read_bytes()
    except OSError:
        return
    start, end = (int(fields[number - 3]) for number in (48, 49))
    text = shown.decode("latin-1")
    for pattern in (_USERINFO, _PARAMETER):
        for found in pattern.finditer(text.replace("\0", " ")):
            first, last = found.span("password")
            if start and start + last <= end:
                ctypes.memset(start + first, ord("*"), last - first)


def without_password(url: str) -> str:
    """A URL as it may be kept: without its password, and otherwise as it was.

    Example:
        >>> without_password("postgresql://me:secret@host/db?password=x&sslmode=require")
        'postgresql://me@host/db?sslmode=require'
        >>> without_password("data/store.db")
        'data/store.db'
    """
    if _USERINFO.search(url) is None and _PARAMETER.search(url) is None:
        return url
    bare = _USERINFO.sub(r"\g<scheme>\g<user>@", url)
    return re.sub(r"[?&]$", "", re.sub(rf"(?:{_PARAMETER.pattern})&?", "", bare, flags=re.IGNORECASE))
