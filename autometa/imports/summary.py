"""What an import added, and what it left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Imported:
    """Counts of one import; `left_out` names what could not be brought, with its reason.

    See Also:
        `import_table`, `import_openml`.

    Example:
        >>> brought = Imported(tasks=1, read=3, new=2)
        >>> brought.left_out["weka.J48", "no family of ours is J48"] += 1
        >>> brought.to_dict()["left_out"]
        [{'what': 'weka.J48', 'why': 'no family of ours is J48', 'evaluations': 1}]
    """

    tasks: int = 0
    read: int = 0  # evaluations in the source
    new: int = 0  # of those, brought and not known before
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)  # (what, why) -> evaluations
    unreadable: dict[str, str] = field(default_factory=dict)  # task -> why none of its evaluations could be brought

    def to_dict(self) -> dict[str, Any]:
        """The counts as strict JSON, what was left out most often first."""
        left = [{"what": what, "why": why, "evaluations": count} for (what, why), count in self.left_out.most_common()]
        return {
            "tasks": self.tasks,
            "read": self.read,
            "new_evaluations": self.new,
            "left_out": left,
            "unreadable": self.unreadable,
        }
