"""Whether this user wrote a file: a signature (HMAC) made with a key that only this user has.

Reading a pickle runs the code that is in it. A file that may hold one is signed when it is written, and its signature
is checked over the very bytes that are read, each time; one with another signature, or none, is refused until the
caller says that it is trusted. The signature stands beside the file, as ``NAME.seal``; the keys are in `keys`.

A pickle ends with a checksum of its own, so that damage is told from a stranger's file, and found under ``--trust``.
"""

from __future__ import annotations

import hashlib
import hmac
import pickle
from pathlib import Path
from typing import Any

from autometa.errors import RunError
from autometa.files import digest, replace
from autometa.pickled import unusual_names
from autometa.search.keys import known_keys, signing_key

_TRAILER = b"\nautometa-digest:"  # behind a pickle, then its digest; whoever reads a pickle stops before
_TRAILER_BYTES = len(_TRAILER) + len(digest(b""))


def write_signed(path: Path, content: bytes) -> None:
    """Replaces a file atomically, and leaves its signature beside it, as ``NAME.seal``.

    Both signatures stand there while the file is replaced: killed in between, either content counts as this user's.
    """
    mark, old = _beside(path), ""
    if path.exists() and mark.exists():
        old = mark.read_text(encoding="ascii", errors="replace").strip()
    new = _sign(content, signing_key())
    replace(mark, f"{new}\n{old}".strip())
    replace(path, content)
    replace(mark, new)


def sign(path: Path) -> None:
    """Leaves a signature beside a file that this user's process has just written."""
    replace(_beside(path), _sign(path.read_bytes(), signing_key()))


def is_own(path: Path) -> bool:
    """Whether this user wrote a file, by its signature."""
    return path.exists() and _is_signed(path, path.read_bytes())


def check_signature(path: Path) -> None:
    """Refuses a file that this user did not write.

    Raises:
        RunError: It has no signature, or another one; or it is missing.
    """
    _check(path, _content(path))


def read_own(path: Path, *, trusted: bool = False) -> bytes:
    """The bytes of a file of this user's, or of anybody's if it is `trusted`.

    Raises:
        RunError: The file is missing, or somebody else's.
    """
    content = _content(path)
    if not trusted:
        _check(path, content)
    return content


def pickled(value: Any) -> bytes:
    """A pickle with its own checksum at its end."""
    content = pickle.dumps(value, protocol=5)
    return content + _TRAILER + digest(content).encode()


def read_signed(path: Path, *, trusted: bool) -> Any:
    """What was pickled into a file of this user's, or of anybody's if it is `trusted`.

    Raises:
        RunError: The file is missing, somebody else's, or damaged.
    """
    content = read_own(path, trusted=trusted)
    if not _is_whole(content):
        raise _damaged(path, "its checksum is wrong")
    try:
        return pickle.loads(content)
    except Exception as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def check_whole(path: Path, *, trusted: bool = False) -> None:
    """Refuses a file that is missing, somebody else's unless `trusted`, or damaged; reading nothing that is in it.

    Raises:
        RunError: It is one of these.
    """
    if not _is_whole(read_own(path, trusted=trusted)):
        raise _damaged(path, "its checksum is wrong")


def what_runs(path: Path) -> str:
    """A sentence on what reading a file runs, for whoever is about to trust it.

    See Also:
        `autometa.load_model`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "a.pkl").write_bytes(pickle.dumps(print))
        ...     what_runs(Path(folder) / "a.pkl").partition("a.pkl")[2]
        ' runs what it names: builtins.print, and classes of AutoMeta and the libraries of its models.'
    """
    other = unusual_names(_content(path))
    more = f" and {len(other) - 8} more" if len(other) > 8 else ""
    told = f"{', '.join(other[:8])}{more}, and " if other else ""
    return f"Reading {path} runs what it names: {told}classes of AutoMeta and the libraries of its models."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path} does not exist") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error


def _check(path: Path, content: bytes) -> None:
    if _is_signed(path, content):
        return
    if not _is_whole(content):
        raise _damaged(path, "its checksum is wrong")
    code = ""
    if path.suffix != ".json":
        other = unusual_names(content)
        code = ", and reading it runs code that is in it" + (f" ({', '.join(other[:5])})" if other else "")
    raise RunError(
        f"{path} was not written by you on this machine{code}. If you trust whoever made it, use --trust "
        "(in Python: trusted=True); if it was you on another machine, `autometa key export` there and "
        "`autometa key import` here"
    )


def _is_signed(path: Path, content: bytes) -> bool:
    try:
        marks = _beside(path).read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
    return any(
        hmac.compare_digest(mark.encode(), _sign(content, key).encode()) for key in known_keys() for mark in marks
    )


def _is_whole(content: bytes) -> bool:
    """Whether a pickle's own checksum is right; one without, from an older version, counts as whole."""
    body, trailer = content[:-_TRAILER_BYTES], content[-_TRAILER_BYTES:]
    return not trailer.startswith(_TRAILER) or trailer[len(_TRAILER) :] == digest(body).encode()


def _damaged(path: Path, why: str) -> RunError:
    run = path.parent
    fix = f"`autometa resume {run}` makes it anew" if (run / "run.json").exists() else "Restore a copy of it"
    return RunError(f"{path} is damaged ({why}); it was left as it is. {fix}")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".seal")


def _sign(content: bytes, key: bytes) -> str:
    return hmac.new(key, hashlib.blake2b(content).digest(), "sha256").hexdigest()
