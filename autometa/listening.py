"""A socket to listen at for a browser or a program on this machine, or why there is none.

Law: only this machine hears it, unless an address is named; a port that is taken is a problem like others.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from autometa.errors import InputError, Problem

LOOPBACK = "127.0.0.1"
_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at an address of this machine; port 0 is any that is free.

    Raises:
        InputError: The port is taken, not to be had without other rights, or the address is none of this machine's.

    Example:
        >>> with listen("127.0.0.1", 0) as taken:
        ...     listen("127.0.0.1", taken.getsockname()[1])
        Traceback (most recent call last):
            ...
        autometa.errors.InputError: --port ...: is in use by another program. Name another, or 0 for any that is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]"), port))
        made.listen(128)
    except (OSError, OverflowError, UnicodeError) as error:
        made.close()
        raise InputError(_why_not(host, port, error)) from error
    return made


def _why_not(host: str, port: int, error: Exception) -> Problem:
    import errno

    number = getattr(error, "errno", None)
    another = "Name another, or 0 for any that is free."
    if number == errno.EADDRINUSE:
        return Problem(f"--port {port}", "is in use by another program", another)
    if isinstance(error, OverflowError):
        return Problem(f"--port {port}", "is no port: they go from 0 to 65535", another)
    if number in (errno.EACCES, errno.EPERM):
        return Problem(f"--port {port}", "needs rights that you do not have", "Name one above 1023.")
    fix = "127.0.0.1 is this machine alone, 0.0.0.0 every address that it has."
    return Problem(f"--host {host}", "is no address of this machine", fix)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_us(header: str | None, allowed: Collection[str] = _NAMES) -> bool:
    """Whether a request that came over the loopback interface names this machine in its ``Host``.

    A page of a stranger whose name was made to lead here (DNS rebinding) names the stranger.

    Example:
        >>> names_us("127.0.0.1:8000"), names_us("localhost"), names_us("evil.example:8000"), names_us(None)
        (True, True, False, False)
    """
    if header is None:
        return False
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() and not header.endswith("]") else header
    return host.lower() in allowed


def url_of(made: socket.socket, host: str) -> str:
    """The address of a socket as a browser takes it.

    Example:
        >>> with listen("127.0.0.1", 0) as made:
        ...     url_of(made, "127.0.0.1")
        'http://127.0.0.1:.../'
    """
    name = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{name}:{made.getsockname()[1]}/"
