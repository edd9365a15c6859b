"""What people type, as values: ``5m`` is 300 seconds, ``2GB`` is 2,000,000,000 bytes.

A reader takes the text and the name of its option and gives the value, or refuses it with an `InputError` that says
what would do. `Gathered` lets a command read all of its options, and look at its data, before it refuses anything: a
person who made three mistakes hears of three.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from autometa.errors import InputError, Problem, did_you_mean

P = ParamSpec("P")
T = TypeVar("T")

_SECONDS = {"": 1, "ms": 1e-3, "us": 1e-6, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES |= {f"{unit}b": size for unit, size in _BYTES.items() if unit in "kmgt" and unit}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"


class Gathered:
    """The problems that a command's options have, gathered before any of them is refused.

    Example:
        >>> gathered = Gathered()
        >>> gathered.option(duration, "--time", "5m"), gathered.option(duration, "--time", None)
        (300.0, None)
        >>> (
        ...     gathered.option(duration, "--time", "5x"),
        ...     gathered.option(whole, "--trials", "0", 1),
        ...     len(gathered.problems),
        ... )
        (None, None, 2)
    """

    def __init__(self) -> None:
        """None yet."""
        self.problems: list[Problem] = []

    def take(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `read` gives; None, and its problems kept, when it refuses."""
        try:
            return read(*args, **kwargs)
        except InputError as error:
            self.problems += [problem for problem in error.problems if problem not in self.problems]
            return None

    def option(
        self,
        read: Callable[Concatenate[str, str, P], T],
        name: str,
        text: str | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """What `read` gives for the text of an option; None when the option was not given or is refused."""
        return None if text is None else self.take(read, name, text, *args, **kwargs)

    def refuse(self) -> None:
        """Raises one `InputError` with every problem, if there is any."""
        if self.problems:
            raise InputError(self.problems)


def probability(option: str, text: str) -> float:
    """A number between 0 and 1, neither of them.

    Example:
        >>> probability("--threshold", "0.3")
        0.3
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1.0:
        fix = "Such as 0.3: the probability from which a row counts as positive."
        raise InputError(Problem(f"{option} {text}", "is not a number between 0 and 1", fix))
    return number


def share(option: str, text: str) -> float:
    """A share of rows, between 0 and 1, neither of them; ``90%`` is 0.9.

    Example:
        >>> share("--interval", "0.9"), share("--interval", "90%")
        (0.9, 0.9)
    """
    compact = text.strip()
    try:
        number = float(compact.removesuffix("%")) / (100 if compact.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1.0:
        fix = f"Such as {option} 0.9: the share of rows whose truth is to be within."
        raise InputError(Problem(f"{option} {text}", "is not a number between 0 and 1", fix))
    return number


def duration(option: str, text: str) -> float:
    """Seconds, above 0: ``60``, ``30s``, ``5m``, ``1.5h``, ``1h30m``."""
    compact = text.strip().lower().replace(" ", "")
    parts = re.findall(rf"({_NUMBER})([a-z]*)", compact)
    if re.fullmatch(rf"-?(?:(?:{_NUMBER})[a-z]*)+", compact) and all(unit in _SECONDS for _, unit in parts):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        if seconds > 0 and not compact.startswith("-") and math.isfinite(seconds):
            return seconds
        raise InputError(
            Problem(f"{option} {text}", "the time must be above 0", f"Such as {option} 60 or {option} 5m.")
        )
    raise InputError(
        Problem(
            f"{option} {text}", "is not a time", f"Such as {option} 60, {option} 90s, {option} 5m or {option} 1h30m."
        )
    )


def spoken_brief(seconds: float) -> str:
    """A time as short as answering a row takes, as it is said.

    Example:
        >>> [spoken_brief(s) for s in (0.000012, 0.0021, 1.5, math.nan)]
        ['12 µs', '2.1 ms', '1.5 s', '-']
    """
    if not math.isfinite(seconds):
        return "-"
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= s), ("µs", 1e-6))
    return f"{float(f'{seconds / size:.2g}'):g} {unit}"


def patience_of(option: str, text: str) -> float | str:
    """``auto``, ``off``, or a time as `duration` reads it.

    Example:
        >>> patience_of("--patience", "off"), patience_of("--patience", "2m")
        ('off', 120.0)
    """
    word = text.strip().lower()
    if word in ("auto", "off"):
        return word
    try:
        return duration(option, text)
    except InputError:
        fix = f"Such as {option} off or {option} 30s; leave it out for auto."
        raise InputError(Problem(f"{option} {text}", "is neither auto, off, nor a time above 0", fix)) from None


def size(option: str, text: str) -> int:
    """Bytes, above 0: ``2GB``, ``512MiB``, ``1000000``."""
    match = re.fullmatch(rf"(-?)({_NUMBER})([a-z]*)", text.strip().lower().replace(" ", ""))
    if match is None or match[3] not in _BYTES:
        raise InputError(
            Problem(f"{option} {text}", "is not an amount of memory", f"Such as {option} 2GB or {option} 512MiB.")
        )
    value = int(float(match[2]) * _BYTES[match[3]])
    if match[1] or value <= 0:
        raise InputError(Problem(f"{option} {text}", "the amount must be above 0", f"Such as {option} 2GB."))
    return value


def whole(option: str, text: str, least: int) -> int:
    """A whole number of at least `least`."""
    try:
        value = int(text)
    except ValueError:
        raise InputError(
            Problem(f"{option} {text}", "is not a whole number", f"Such as {option} {max(least, 2)}.")
        ) from None
    if value < least:
        raise InputError(Problem(f"{option} {text}", f"must be at least {least}"))
    return value


def one_of(option: str, text: str, known: Sequence[str]) -> str:
    """The text itself, if it is one of `known`."""
    if text in known:
        return text
    fix = f"{did_you_mean(text, known)} Known: {', '.join(known)}.".strip()
    raise InputError(Problem(f"{option} {text}", "is not known", fix))


def check_writable(option: str, path: Path | None) -> None:
    """Refuses a path, where one was given, at which no file can be written.

    Example:
        >>> check_writable("--out", None)
    """
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise InputError(Problem(f"{option} {path}", "is a folder" if path.is_dir() else "its folder does not exist"))


def names(text: str) -> tuple[str, ...]:
    """The parts of a list with commas; empty ones and repetitions are left out."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def printable(text: object) -> str:
    r"""One line without control characters: a column name cannot colour or clear the terminal.

    Example:
        >>> printable("a\x1b[31m\nb")
        'a\ufffd[31m b'
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in str(text))


def called(where: str, name: str) -> Any:
    """What ``module:name`` is of: of a module that is installed, or lies in the folder where the command was given.

    Args:
        where: What it is wanted for, for the message.
        name: ``package.module:function``, or a class.

    Raises:
        InputError: It cannot be imported, or cannot be called.

    Example:
        >>> called("metric", "math:sqrt")(4)
        2.0
    """
    module, _, path = name.partition(":")
    try:
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module.split(".")[0] or str(Path.cwd()) in sys.path:
                raise
            sys.path.append(str(Path.cwd()))
            importlib.invalidate_caches()
            found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever a module raises while it is imported
        what = f"{name} cannot be imported: {type(error).__name__}: {error}"
        raise InputError(Problem(where, what, "Is it in this folder, or installed?")) from error
    if not callable(found):
        raise InputError(Problem(where, f"{name} is no function", "Name a function or a class."))
    return found
