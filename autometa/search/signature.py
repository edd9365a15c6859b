"""Whether this user wrote a file on this machine: a signature (HMAC) made with a key that only this user has.

Reading a pickle runs the code that is in it. A file that may hold one is signed when it is written; one with another
signature, or none, is refused until the caller says that it is trusted. The signature stands beside the file, as
``NAME.seal``; the key is ``seal.key`` in the user's data folder.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import secrets
from pathlib import Path
from typing import Any

from autometa.errors import RunError
from autometa.files import replace

KEY_BYTES = 32


def write_signed(path: Path, content: bytes) -> None:
    """Replaces a file atomically, and leaves its signature beside it, as ``NAME.seal``."""
    replace(path, content)
    replace(_beside(path), _sign(content))


def check_signature(path: Path) -> None:
    """Refuses a file that this user did not write on this machine.

    Raises:
        RunError: It has no signature, or another one.
    """
    mark = _beside(path)
    if not (
        mark.exists()
        and hmac.compare_digest(mark.read_text(encoding="ascii", errors="replace").strip(), _sign(path.read_bytes()))
    ):
        raise RunError(
            f"{path} was not written by you on this machine, and reading it runs code that is in it. "
            "If you trust whoever made it, use --trust (in Python: trusted=True)"
        )


def read_signed(path: Path, *, trusted: bool) -> Any:
    """What was pickled into a file of this user's, or of anybody's if it is `trusted`.

    Raises:
        RunError: The file is somebody else's, or damaged.
    """
    if not trusted:
        check_signature(path)
    try:
        return pickle.loads(path.read_bytes())
    except Exception as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); it was left as it is") from error


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".seal")


def _sign(content: bytes) -> str:
    return hmac.new(_key(), hashlib.blake2b(content).digest(), "sha256").hexdigest()


def _key() -> bytes:
    """This user's secret, made on first use; only its owner can read it."""
    from platformdirs import user_data_path

    path = user_data_path("autometa") / "seal.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            os.link(temporary, path)  # whole or not at all, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_bytes()
