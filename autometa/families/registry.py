"""Families from outside: those that a module registers, and those that an installed package announces.

Trials run in processes of their own, which have to find a family again: the origins of the registered ones travel with
each trial. What a package announces (entry points of the group `GROUP`) every process finds by itself, once all names
are asked for, or one that the catalogue does not have.

A family of one search alone has a `FamilyOrigin.source`: text from which its module makes it anew (``family_from``). It
is in the catalogue, for whoever asks by its name, and is none of those that every search tries.

Law: nothing is replaced: a name that the catalogue has already is refused, but for the same family again.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autometa.errors import InputError, Problem
from autometa.families.family import EVERY_KIND, Family

GROUP = "autometa.families"


class FamilyOrigin(NamedTuple):
    """Where a process finds a registered family.

    Example:
        >>> FamilyOrigin("shrunken", "shrunken", "/home/me/models").module
        'shrunken'
    """

    name: str
    module: str
    folder: str | None  # that has to be on the path for it
    source: str | None = None  # of a family of one search alone: what the module's `family_from` makes it of


class Registry:
    """The families of a catalogue that are not AutoMeta's own."""

    def __init__(self, catalogue: dict[str, Family]) -> None:
        """Adds to `catalogue`, by the families' names."""
        self.catalogue = catalogue
        self.own = frozenset(catalogue)
        self._origins: dict[str, FamilyOrigin] = {}
        self._announced = False

    def add(self, family: Family) -> None:
        """Puts a family into the catalogue.

        Raises:
            InputError: It is none, its name is taken or no name, or it is defined where no other process finds it.
        """
        problems = list(self._problems(family))
        if problems:
            raise InputError(problems)
        module = sys.modules[family.build.__module__]
        self.catalogue[family.name] = family
        self._origins[family.name] = FamilyOrigin(family.name, module.__name__, _folder_of(module))

    def registered(self) -> tuple[FamilyOrigin, ...]:
        """Where another process finds what was added here."""
        return tuple(self._origins.values())

    @property
    def of_one_search(self) -> frozenset[str]:
        """The names of families that only the searches try which were asked to."""
        return frozenset(name for name, origin in self._origins.items() if origin.source is not None)

    def _problems(self, family: Any) -> list[Problem]:
        if not isinstance(family, Family):
            return [Problem("family", f"{family!r} is no Family", "Make one with autometa.families.Family.")]
        where, found = f"family {family.name!r}", []
        if not family.name.isidentifier() or family.name != family.name.lower():
            found.append(Problem(where, "is no name", "Use small letters, digits and underscores."))
        if family.name in self.own or self.catalogue.get(family.name, family) != family:
            found.append(Problem(where, "is in the catalogue already", "Choose another name."))
        if not family.kinds <= EVERY_KIND or not family.kinds:
            found.append(
                Problem(where, f"is for {sorted(family.kinds)}", f"Choose of {', '.join(sorted(EVERY_KIND))}.")
            )
        if getattr(family.build, "__module__", "__main__") == "__main__" or "<locals>" in family.build.__qualname__:
            fix = "Put it into a module, and import that: trials run in processes of their own, which import it too."
            found.append(Problem(where, "is defined where no other process finds it", fix))
        return found

    def announced(self) -> None:
        """Takes in what installed packages announce; one that cannot be loaded is warned of, once."""
        if self._announced:
            return
        self._announced = True
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                family = point.load()
                if family.name not in self.catalogue:
                    self.add(family)
            except Exception as error:  # noqa: BLE001 - somebody else's package
                why = f"{type(error).__name__}: {error}"
                warnings.warn(f"The model family {point.name!r} of {point.value} is left out: {why}", stacklevel=2)

    def recalled(self, origins: Sequence[FamilyOrigin]) -> None:
        """Makes families known that this process does not know, by the modules that they are of."""
        for origin in (FamilyOrigin(*one) for one in origins):
            name, module, folder, source = origin
            if name in self.catalogue:
                continue
            if folder is not None and folder not in sys.path:
                sys.path.append(folder)
            found = importlib.import_module(module)  # which may register it
            if source is not None:
                self.catalogue[name] = found.family_from(source)
                self._origins[name] = origin
            if name not in self.catalogue:
                self.add(next(own for own in vars(found).values() if isinstance(own, Family) and own.name == name))


def _folder_of(module: object) -> str | None:
    """The folder that has to be on the path for a module to be imported; None where that is not a file's."""
    name, file = getattr(module, "__name__", ""), getattr(module, "__file__", None)
    if file is None:
        return None
    depth = name.count(".") + (1 if Path(file).name == "__init__.py" else 0)
    return str(Path(file).resolve().parents[depth])
