"""This user's key, with which files that can hold code are signed: 32 secret bytes in a file that only they can read.

It is ``seal.key`` in the user's data folder, made when something is signed for the first time. Keys that the same
person has on other machines are kept beside it, in ``imported.keys``: what was signed with one of them counts as theirs
too. Where no key can be kept (no home, a read-only one), this process signs with one of its own, and `why_fleeting`
says why.

Law: looking makes no key; a damaged key is named and never used, since an empty one would sign for anybody.
"""

from __future__ import annotations

import re
import secrets
import stat
from functools import cache
from pathlib import Path

from autometa.errors import InputError, Problem, RunError
from autometa.files import PRIVATE, digest, first, private_folder, replace

KEY_BYTES = 32
_EXPORTED = re.compile(r"autometa-key 1 ([0-9a-f]{64}) ([0-9a-f]{8})\s*")


def signing_key() -> bytes:
    """The key to sign with, made on first use.

    Raises:
        RunError: It is damaged.
    """
    kept = _kept_key()
    if kept is not None:
        return kept
    path = _folder() / "seal.key"
    try:
        _make(path)
        return path.read_bytes()
    except OSError:
        return _fleeting_key()


def known_keys() -> list[bytes]:
    """Every key whose signatures count as this user's, their own first; none is made.

    Raises:
        RunError: The own one, or the file of those that were imported, is damaged.
    """
    kept = _kept_key()
    own = [kept] if kept is not None else [_fleeting_key()] if _fleeting_key.cache_info().currsize else []
    return [*own, *_imported()]


def why_fleeting() -> str | None:
    """Why this process signs with a key that nobody will have later; None where the key is kept."""
    signing_key()
    if not _fleeting_key.cache_info().currsize:
        return None
    return (
        f"No key can be kept in {_folder()}: what is signed now opens in this process only, later with --trust. "
        "Set XDG_DATA_HOME to a folder that can be written to"
    )


def export_key(path: Path) -> None:
    """Writes the key to a new file that only its owner can read, for `import_key` on another machine of theirs.

    Raises:
        InputError: There is something at `path`.
        RunError: The key is damaged, or cannot be kept.
        OSError: The file cannot be written.
    """
    if path.exists():
        raise InputError(Problem(str(path), "exists already", "Name a new file."))
    if why := why_fleeting():
        raise RunError(why)
    text = signing_key().hex()
    replace(path, f"autometa-key 1 {text} {digest(text.encode())[:8]}\n")


def import_key(path: Path) -> bool:
    """Takes files that were signed on another machine for this user's own; whether the key was new.

    Raises:
        InputError: The file holds no key, or a damaged one.
        OSError: It cannot be read, or the key not be kept.
    """
    found = _EXPORTED.fullmatch(path.read_text(encoding="ascii", errors="replace"))
    if found is None or digest(found[1].encode())[:8] != found[2]:
        raise InputError(Problem(str(path), "holds no key, or a damaged one", "`autometa key export FILE` writes one."))
    key = bytes.fromhex(found[1])
    if key in known_keys():
        return False
    private_folder(_folder())
    replace(_folder() / "imported.keys", b"".join([*_imported(), key]))
    return True


def _folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("autometa")


def _kept_key() -> bytes | None:
    """The key on the disk, readable by its owner alone from now on; None where there is none."""
    path = _folder() / "seal.key"
    try:
        key = path.read_bytes()
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(PRIVATE)
    except OSError:
        return None
    if len(key) != KEY_BYTES:
        raise RunError(
            f"{path} is damaged: a key has {KEY_BYTES} bytes, and this has {len(key)}. Restore a copy of it, or remove "
            "it: a new one is made, and what was signed with the old one needs --trust"
        )
    return key


def _imported() -> list[bytes]:
    path = _folder() / "imported.keys"
    try:
        content = path.read_bytes()
    except OSError:
        return []
    if len(content) % KEY_BYTES:
        raise RunError(f"{path} is damaged. Remove it, and import the keys of your other machines again")
    return [content[start : start + KEY_BYTES] for start in range(0, len(content), KEY_BYTES)]


def _make(path: Path) -> None:
    """A new key at `path`, unless another process was faster.

    Raises:
        OSError: It cannot be kept there.
    """
    if not path.is_absolute():  # without a home "~" stays as it is, and would be a folder here
        raise OSError(f"{path} is no place for a key: there is no home")
    private_folder(path.parent)
    with first(path) as temporary:
        temporary.write_bytes(secrets.token_bytes(KEY_BYTES))


@cache
def _fleeting_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)
