"""Certificates of a cluster: one authority that is made for it, and one certificate that all its machines share.

Whoever has the folder can run anything on every machine of the cluster: it is copied to them by a way that is safe.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from autometa.cluster.options import OPTIONS
from autometa.errors import InputError, Problem
from autometa.files import replace

CA, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"


def write_keys(folder: str | Path) -> Path:
    """Makes the certificates of a new cluster: ``ca.pem``, ``certificate.pem`` and ``key.pem``.

    The key of the authority is not kept: nobody can make another certificate for this cluster.

    Args:
        folder: A new or an empty folder.

    Raises:
        InputError: The folder is not empty, or cannot be written.

    See Also:
        `connect`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     sorted(path.name for path in write_keys(Path(place) / "keys").iterdir())
        ['ca.pem', 'certificate.pem', 'key.pem']
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError([Problem(str(folder), "is there already", "Name a new folder: keys are never overwritten.")])

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def signed(subject: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        is_authority = key is by
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("autometa cluster"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
            .not_valid_after(now + datetime.timedelta(days=OPTIONS.days))
            .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), critical=True)
            .sign(by, hashes.SHA256())
        )

    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files = {
        CA: signed("autometa cluster", authority, authority).public_bytes(serialization.Encoding.PEM),
        CERTIFICATE: signed("autometa node", own, authority).public_bytes(serialization.Encoding.PEM),
        KEY: own.private_bytes(serialization.Encoding.PEM, *plain),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in files.items():
            replace(folder / name, content)
            (folder / name).chmod(0o600)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise InputError([Problem(str(folder), what, "Name another folder.")]) from error
    return folder


def problems_of(folder: Path) -> list[Problem]:
    """What is wrong with a folder of certificates."""
    missing = [name for name in (CA, CERTIFICATE, KEY) if not (folder / name).is_file()]
    if missing:
        what = f"lacks {', '.join(missing)}"
        return [Problem(f"--tls {folder}", what, "autometa cluster keys DIR makes a folder of them.")]
    if hasattr(os, "getuid") and (folder / KEY).stat().st_mode & 0o077:
        what = f"others on this machine can read {KEY}"
        return [Problem(f"--tls {folder}", what, f"chmod 600 {folder / KEY}; make new ones if need be.")]
    return []
