"""How many CPUs this process may use: the cgroup's limit, not the host's size.

A pod with a limit of 2 CPUs on a host of 96 that starts 96 workers is throttled all the time.
Source: Linux Documentation/admin-guide/cgroup-v2.rst (cpu.max); cgroup-v1 cpu.cfs_quota_us.
"""

from __future__ import annotations

import os
from pathlib import Path


def cpu_limit(cgroup: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """CPUs this process may use [> 0], the least of cgroup quotas and scheduling affinity.

    Args:
        cgroup: Where the cgroup file system is mounted.
        own: The file that names this process' cgroups.
    """
    limits = [float(len(os.sched_getaffinity(0)))]
    for folder in _folders(cgroup, own):
        quota = _v2_quota(folder / "cpu.max") or _v1_quota(folder)
        if quota:
            limits.append(quota)
    return min(limits)


def default_workers() -> int:
    """One worker for each whole CPU, and at least one."""
    return max(1, int(cpu_limit()))


def _folders(cgroup: Path, own: Path) -> list[Path]:
    """The process' cgroup folders and all above them: each of them may limit."""
    folders = [cgroup, cgroup / "cpu"]
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = cgroup / "cpu" if controllers else cgroup
        folder = base
        for part in Path(path.lstrip("/")).parts:
            folder = folder / part
            folders.append(folder)
    return folders


def _v2_quota(file: Path) -> float | None:
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period) if quota != "max" else None
    except (OSError, ValueError):
        return None


def _v1_quota(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
