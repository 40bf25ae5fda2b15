"""CPU time and memory of other processes, read from Linux.

Source: proc(5) for ``stat``, ``status`` and ``smaps_rollup``; clock_getcpuclockid(3) for the clock that
the kernel keeps of each process, to the nanosecond.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tonnage.profile.load_parts import ProcessMemory

_TICK_S: Final = 1.0 / os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11  # fields after the name, which may hold spaces and ends with the last ")"
_CPUCLOCK_SCHED: Final = 2


def cpu_s(pid: int) -> float:
    """CPU time of a process, all threads [s]; 0 when it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return _ticks_s(Path(f"/proc/{pid}/stat"))


def _ticks_s(file: Path) -> float:
    try:
        fields = file.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) * _TICK_S


def memory_of(pids: Iterable[int]) -> ProcessMemory:
    """Resident memory of some processes together; those that have ended count nothing."""
    rss = pss = 0
    for pid in pids:
        own = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), ("Rss", "Pss"))
        if not own:  # a kernel without the file; nothing is known to be shared then
            resident = _kilobytes(Path(f"/proc/{pid}/status"), ("VmRSS",)).get("VmRSS", 0)
            own = {"Rss": resident, "Pss": resident}
        rss += own.get("Rss", 0)
        pss += own.get("Pss", 0)
    return ProcessMemory(rss_bytes=rss, pss_bytes=pss)


def peak_bytes(pids: Iterable[int]) -> int:
    """The most that each process ever had resident, summed [bytes]."""
    return sum(_kilobytes(Path(f"/proc/{pid}/status"), ("VmHWM",)).get("VmHWM", 0) for pid in pids)


def _kilobytes(file: Path, names: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        text = file.read_text()
    except OSError:
        return found
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in names and rest.endswith("kB"):
            found[name] = int(rest.removesuffix("kB")) * 1024
    return found
