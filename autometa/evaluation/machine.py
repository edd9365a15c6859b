"""What this machine has: CPUs and memory that this process may use, and what its processes hold.

A control group may leave less than the machine has; its files are read in both of their versions, and whatever they do
not say counts as no limit.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from autometa.evaluation.options import OPTIONS


def _quota_v2(path: str) -> tuple[float, float]:
    quota, period = Path(path).read_text().split()
    return float(quota), float(period)  # "max" is no number: no quota


def _quota_v1(path: str) -> tuple[float, float]:
    return float(Path(path, "cpu.cfs_quota_us").read_text()), float(Path(path, "cpu.cfs_period_us").read_text())


DEVICES = Path("/dev")
_GROUP = "/sys/fs/cgroup"
_CPU_QUOTAS = ((f"{_GROUP}/cpu.max", _quota_v2), (f"{_GROUP}/cpu", _quota_v1))
_RAM_LIMITS = (
    (f"{_GROUP}/memory.max", f"{_GROUP}/memory.current", f"{_GROUP}/memory.stat", "inactive_file "),
    (
        f"{_GROUP}/memory/memory.limit_in_bytes",
        f"{_GROUP}/memory/memory.usage_in_bytes",
        f"{_GROUP}/memory/memory.stat",
        "total_inactive_file ",
    ),
)


def available_cpus() -> int:
    """CPUs that this process may really use: its affinity, and the quota of its control group.

    See Also:
        `available_ram`, `crowding`.

    Example:
        >>> 1 <= available_cpus() <= (os.cpu_count() or 1)
        True
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for path, parse in _CPU_QUOTAS:
        with suppress(OSError, ValueError):
            quota, period = parse(path)
            if quota > 0:
                count = min(count, max(1, round(quota / period)))
    return count


def had_gpu(device: str) -> bool:
    """Whether what runs on a GPU where there is one had one in this process, with ``auto``, ``cpu`` or ``cuda...``.

    Example:
        >>> had_gpu("cuda:1"), had_gpu("cpu")
        (True, False)
    """
    torch = sys.modules.get("torch")
    return device.startswith("cuda") or (device == "auto" and torch is not None and bool(torch.cuda.is_available()))


def visible_gpus() -> tuple[str, ...]:
    """Names of the GPUs that PyTorch will find, without loading it: as the driver and the environment show them.

    A build of PyTorch for processors finds none.

    See Also:
        `available_cpus`.

    Example:
        >>> all(name.startswith("cuda") for name in visible_gpus())
        True
    """
    count = sum(1 for _ in DEVICES.glob("nvidia[0-9]*"))
    with suppress(PackageNotFoundError):
        count = 0 if version("torch").endswith("+cpu") else count
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        asked = [one.strip() for one in shown.split(",")]
        count = min(count, next((k for k, one in enumerate(asked) if one in ("", "-1")), len(asked)))
    return ("cuda",) if count == 1 else tuple(f"cuda:{k}" for k in range(count))


def available_ram() -> int:
    """Bytes that can still be taken without the system running out: of the machine, and of the control group.

    See Also:
        `available_cpus`.

    Example:
        >>> available_ram() > 0
        True
    """
    left = psutil.virtual_memory().available
    for limit, usage, statistics, reclaim in _RAM_LIMITS:
        with suppress(OSError, ValueError):
            free = int(Path(limit).read_text()) - int(Path(usage).read_text())
            lines = Path(statistics).read_text().splitlines()
            reclaimable = next((int(line.split()[1]) for line in lines if line.startswith(reclaim)), 0)
            left = min(left, max(free + reclaimable, 0))
    return left


def ram_reserve() -> int:
    """Bytes below which the machine counts as out of memory."""
    return min(int(OPTIONS.reserve_share * psutil.virtual_memory().total), OPTIONS.reserve_bytes)


def resident(tree: Sequence[int]) -> int:
    """Resident bytes of some processes together."""
    total = 0
    for number in tree:
        with suppress(psutil.Error):
            total += psutil.Process(number).memory_info().rss
    return total


def processor_seconds(tree: Sequence[int]) -> float:
    """Seconds of processor time that some processes have used together.

    Example:
        >>> processor_seconds([os.getpid()]) > 0.0
        True
    """
    total = 0.0
    for number in tree:
        with suppress(psutil.Error):
            times = psutil.Process(number).cpu_times()
            total += times.user + times.system
    return total


def crowding() -> float:
    """How many seconds of the wall a processor second takes here and now; 1 on an idle machine.

    See Also:
        `available_cpus`.

    Example:
        >>> crowding() >= 1.0
        True
    """
    began, own = time.perf_counter(), time.process_time()
    while (used := time.process_time() - own) < OPTIONS.crowding_seconds:
        pass
    return max((time.perf_counter() - began) / used, 1.0)


def is_stopped(process: int) -> bool:
    """Whether a process is stopped (SIGSTOP, a debugger), and so neither works nor ends."""
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def is_dead(process: int) -> bool:
    """Whether a process is not there, never was, or only waits to be reaped."""
    try:
        return process <= 0 or psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def peak_ram() -> int:
    """The largest resident size that this process has had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def oom_kills() -> int:
    """How many processes the system has killed for want of memory; 0 where it does not count."""
    with suppress(OSError), Path("/proc/vmstat").open() as file:
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def megabytes(size: int) -> str:
    """Bytes as people read them, such as ``315 MB``."""
    return f"{size / 1e6:,.0f} MB"
