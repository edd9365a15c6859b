"""Where trials run: the one seam between a search and its processes, here or on other machines.

A search asks for an evaluation and gets one, or hears why not; who runs it, and where, it does not know. `Local` is
this machine; `autometa.cluster.Cluster` is any number of others; `Here` is this very process, where there is no time
for another one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from autometa.evaluation.isolated import evaluate_isolated, trial
from autometa.evaluation.isolation import Isolation
from autometa.evaluation.machine import available_cpus, peak_ram, visible_gpus
from autometa.evaluation.options import OPTIONS
from autometa.evaluation.record import Evaluation
from autometa.evaluation.trial import Attempt


class Executor(Protocol):
    """Runs trials and fits; safe to share between threads.

    See Also:
        `Local`.

    Example:
        >>> from autometa.evaluation import Isolation
        >>> executor: Executor = Local(Isolation())
        >>> executor.places
        1
    """

    @property
    def cpus(self) -> int:
        """CPUs that all trials together may use."""

    @property
    def most_threads(self) -> int:
        """CPUs that one trial may use, for it runs on one machine."""

    @property
    def gpus(self) -> tuple[str, ...]:
        """Devices of which each is for one trial at a time; on other machines it is theirs which of them."""

    @property
    def places(self) -> int:
        """Trials that are heavy for their machine and may run at once: one on each."""

    def warm_up(self) -> None:
        """Begins to load what trials need, while the caller goes on."""

    def overhead(self) -> int:
        """Resident bytes on this machine beside those of trials."""

    def evaluate(
        self,
        folder: Path,
        attempt: Attempt,
        *,
        seconds: float,
        max_ram: int | None = None,
        oof_path: Path | None = None,
        patience: float = 0.0,
    ) -> Evaluation:
        """As `evaluate_isolated`; `max_ram` is of trials on this machine.

        Raises:
            Cancelled: `cancel_all` was called meanwhile.
        """

    def written(
        self,
        function: Callable[..., None],
        folder: Path,
        *args: Any,
        path: Path,
        seconds: float,
        max_ram: int | None = None,
        **how: Any,
    ) -> bytes:
        """What ``function(folder, *args, path, **how)`` writes to a file, run apart; `folder` is a saved task's.

        Raises:
            Killed: It did not end, or not within `seconds`.
            Cancelled: `cancel_all` was called meanwhile.
        """

    def cancel_all(self) -> None:
        """Ends whatever is under way."""


class Local:
    """Trials in processes of this machine.

    See Also:
        `Executor`, `Isolation`.

    Example:
        >>> from autometa.evaluation import shared_isolation
        >>> Local(shared_isolation()).cpus == available_cpus()
        True
    """

    places = 1

    def __init__(self, isolation: Isolation) -> None:
        """Starts nothing."""
        self.isolation = isolation
        self.warm_up, self.cancel_all = isolation.warm_up, isolation.cancel_all
        self.overhead = isolation.overhead

    @property
    def cpus(self) -> int:
        """Those that this process may use."""
        return available_cpus()

    @property
    def most_threads(self) -> int:
        """All of them."""
        return available_cpus()

    @property
    def gpus(self) -> tuple[str, ...]:
        """Those of this machine."""
        return visible_gpus()

    def evaluate(
        self,
        folder: Path,
        attempt: Attempt,
        *,
        seconds: float,
        max_ram: int | None = None,
        oof_path: Path | None = None,
        patience: float = 0.0,
    ) -> Evaluation:
        """As `evaluate_isolated`."""
        return evaluate_isolated(
            self.isolation, folder, attempt, seconds=seconds, max_ram=max_ram, oof_path=oof_path, patience=patience
        )

    def written(
        self,
        function: Callable[..., None],
        folder: Path,
        *args: Any,
        path: Path,
        seconds: float,
        max_ram: int | None = None,
        **how: Any,
    ) -> bytes:
        """What a function writes, run in a process of its own; the file is gone afterwards."""
        try:
            self.isolation.call(function, folder, *args, path, seconds=seconds, max_ram=max_ram, **how)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)


class Here:
    """Trials in this process, one at a time: they begin at once, and nobody can end one but itself.

    For what ends early by its own clock, such as boosting, in a search that is over before another process has loaded
    what a trial needs (`autometa.search.plan.executor_for`).

    See Also:
        `Local`, `Executor`.

    Example:
        >>> Here().cpus
        1
    """

    cpus = most_threads = places = 1
    gpus: tuple[str, ...] = ()

    @property
    def loading(self) -> float:
        """Processor seconds until the first trial can begin."""
        return 0.0 if "sklearn.ensemble" in sys.modules else OPTIONS.processor_to_load / 2

    def warm_up(self) -> None:
        """There is nothing to begin."""

    def overhead(self) -> int:
        """No process beside this one."""
        return 0

    def evaluate(
        self,
        folder: Path,
        attempt: Attempt,
        *,
        seconds: float,
        max_ram: int | None = None,
        oof_path: Path | None = None,
        patience: float = 0.0,
    ) -> Evaluation:
        """As `evaluate_isolated`, without a cap on memory; once all is loaded the attempt keeps its deadline itself."""
        found: Evaluation | None = None
        attempt = replace(attempt, deadline=seconds, patience=0.0)
        for found in trial(folder, attempt, oof_path, loading_counts=False):  # noqa: B007 - the last one counts
            pass
        assert found is not None
        return replace(found, peak_ram=peak_ram())

    def written(
        self,
        function: Callable[..., None],
        folder: Path,
        *args: Any,
        path: Path,
        seconds: float,
        max_ram: int | None = None,
        **how: Any,
    ) -> bytes:
        """What a function writes."""
        try:
            function(folder, *args, path, **how)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def cancel_all(self) -> None:
        """A trial ends by its own deadline."""
