"""Which cluster is meant, and whether it may be spoken to.

    local:4            four workers that are started here and end with the search
    tls://head:8786    a scheduler, spoken to with certificates (`autometa cluster keys DIR`)
    tcp://127.0.0.1:8786   a scheduler on this machine

Law: whoever reaches an open Dask port runs what he likes, so without certificates only this machine is spoken to.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.cluster.keys import CA, CERTIFICATE, KEY, problems_of
from autometa.cluster.options import OPTIONS
from autometa.errors import InputError, Problem

if TYPE_CHECKING:
    from distributed.security import Security

_FORM = "Say local:4, tls://HOST:8786 with --tls DIR, or tcp://127.0.0.1:8786."


@dataclass(frozen=True, slots=True)
class Address:
    """A cluster's address, and the folder of certificates that it is spoken to with.

    Example:
        >>> Address.read("local:4").workers, Address.read("tcp://127.0.0.1:8786").url
        (4, 'tcp://127.0.0.1:8786')
    """

    url: str = ""  # of the scheduler; "" for one that is started here
    workers: int = 0  # that are started here
    tls: Path | None = None

    @classmethod
    def read(cls, text: str, tls: str | Path | None = None, where: str = "--cluster") -> Address:
        """From what a person writes.

        Raises:
            InputError: It is none, lacks certificates, or would send what is not encrypted to another machine.
        """
        problems, folder = [], None if tls is None else Path(tls)
        local = re.fullmatch(r"local:(\d+)", text)
        remote = re.fullmatch(r"(tls|tcp)://(\[[0-9a-fA-F:]+\]|[^:/\s\[\]]+):(\d{1,5})", text)
        if local and int(local[1]) > 0:
            if folder is not None:
                problems.append(Problem("--tls", "workers on this machine need no certificates", "Leave it out."))
        elif remote is None:
            problems.append(Problem(where, f"{text!r} is no address of a cluster", _FORM))
        elif remote[1] == "tcp" and not is_loopback(remote[2]):
            what = f"{text} is another machine, and what is sent there would not be encrypted"
            fix = "Whoever reaches such a port can run anything: use tls:// with --tls DIR (autometa cluster keys DIR)."
            problems.append(Problem(where, what, fix))
        elif remote[1] == "tcp" and folder is not None:
            problems.append(Problem("--tls", f"{text} is not encrypted", "Use tls://, or leave --tls out."))
        elif remote[1] == "tls" and folder is None:
            problems.append(Problem("--tls", f"{text} needs certificates", "autometa cluster keys DIR makes them."))
        if folder is not None:
            problems += problems_of(folder)
        if problems:
            raise InputError(problems)
        return cls(workers=int(local[1])) if local else cls(text, 0, folder)

    @property
    def security(self) -> Security | None:
        """What Dask encrypts with; None on this machine."""
        return security_of(self.tls)


def security_of(folder: Path | None) -> Security | None:
    """Dask's settings for a folder of certificates: both sides show theirs; None for no folder."""
    if folder is None:
        return None
    from distributed.security import Security

    ca, certificate, key = (str((folder / name).absolute()) for name in (CA, CERTIFICATE, KEY))
    sides: dict[str, Any] = {}
    for side in ("client", "scheduler", "worker"):
        sides |= {f"tls_{side}_cert": certificate, f"tls_{side}_key": key}
    return Security(require_encryption=True, tls_ca_file=ca, **sides)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, and nobody else can reach it.

    Example:
        >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "head")]
        [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def default_port(text: str | None) -> int:
    """The port of a scheduler."""
    return OPTIONS.port if text is None else int(text)
