"""What the pages cite of other projects, without asking their sites: inventories made of `inventories.txt`.

Sphinx links to other projects by inventories that it fetches from them. A build must work behind a firewall and in
continuous integration, so the few names that are cited stand in a file here, with where they are described.
"""

from __future__ import annotations

import zlib
from pathlib import Path

LIST = Path(__file__).resolve().parent / "inventories.txt"


def read() -> dict[str, tuple[str, list[str]]]:
    """Each project with the root of its site and the lines of its inventory."""
    projects: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name, root = line.strip("[]").split()
            projects[name] = (root, [])
        elif line and not line.startswith("#"):
            target, role, place = line.split()
            projects[name][1].append(f"{target} py:{role} 1 {place} -")
    return projects


def mapping(folder: Path) -> dict[str, tuple[str, str]]:
    """Writes the inventories into a folder; gives what Sphinx calls `intersphinx_mapping`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, (root, lines) in read().items():
        head = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n# The rest is compressed using zlib.\n"
        path = folder / f"{name}.inv"
        path.write_bytes(head.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
        found[name] = (root, str(path))
    return found
