"""GPUs of a search: a trial whose family runs on one has one for itself, and while none is free others are proposed.

Two networks on one GPU take its memory from one another, and what each takes says nothing of what it takes alone. So a
family says that it runs on one (`Family.uses_gpu`), and its trials and fits take turns; the seconds of a trial, by
which the search learns what its family costs here, are without the waiting. Everything else goes on beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autometa.evaluation import Cancelled, Executor
from autometa.families import FAMILIES, REGISTRY
from autometa.space import FAMILY, Config

if TYPE_CHECKING:
    from autometa.families import Family

LOOK = 0.05  # seconds between two looks whether a GPU is still waited for; judgement


class Gpus:
    """Which GPUs of a search are free.

    Example:
        >>> gpus = Gpus("auto", ["cuda"])
        >>> with gpus.held({"family": "mlp"}) as device:
        ...     device, sorted(gpus.busy(["linear", "mlp"]))
        ('cuda', ['mlp'])
        >>> with gpus.held({"family": "linear"}) as device:
        ...     device, sorted(gpus.busy(["linear", "mlp"]))
        ('cpu', [])
    """

    def __init__(self, wanted: str, devices: Sequence[str]) -> None:
        """For a search on `wanted`, auto, cpu or cuda, where there are these devices."""
        self.wanted = wanted
        self._free = [] if wanted == "cpu" else list(devices)
        self._any = bool(self._free)
        self._changed = threading.Condition()

    @classmethod
    def of(cls, wanted: str, executor: Executor) -> Gpus:
        """Those of an executor."""
        return cls(wanted, getattr(executor, "gpus", ()))

    @property
    def there(self) -> bool:
        """Whether there is one to be had."""
        return self._any

    def busy(self, families: Sequence[str]) -> frozenset[str]:
        """Which of these families have to wait for a GPU now."""
        if not self._any or self._free:
            return frozenset()
        return frozenset(name for name in families if _uses_one(FAMILIES.get(name)))

    @contextmanager
    def held(self, config: Config, over: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """The device of a configuration, for as long as it runs: a GPU of its own where its family runs on one.

        Args:
            config: Of a family.
            over: Whether it is not worth waiting any longer; what it raises ends the waiting, too.

        Raises:
            Cancelled: It was over before one was free.
        """
        family = FAMILIES.get(config[FAMILY])
        if not (self._any and _uses_one(family)):
            ours = family is not None and family.name in REGISTRY.own and not family.uses_gpu
            yield "cpu" if ours else self.wanted
            return
        device = self._taken(over)
        try:
            yield device
        finally:
            with self._changed:
                self._free.append(device)
                self._changed.notify()

    def _taken(self, over: Callable[[], bool]) -> str:
        while True:
            with self._changed:
                if self._free or (self._changed.wait(LOOK) and self._free):
                    return self._free.pop(0)
            if over():
                raise Cancelled


def _uses_one(family: Family | None) -> bool:
    return family is not None and family.uses_gpu
