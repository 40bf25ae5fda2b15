"""What the figures were taken on: processor, memory, kernel, versions."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, object]:
    """Describes the machine in a form that can be stored beside results."""
    cpu = Path("/proc/cpuinfo").read_text()

    def first(key: str) -> str:
        found = re.search(rf"^{key}\s*:\s*(.*)$", cpu, re.MULTILINE)
        return found.group(1) if found else ""

    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    flags = set(first("flags").split())
    return {
        "cpu": first("model name"),
        "cpu_family": first("cpu family"),
        "cpu_model": first("model"),
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "avx512": "avx512f" in flags,
        "memory_bytes": int(memory.group(1)) * 1024 if memory else None,
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "wrk": wrk_version(),
    }


def wrk_version() -> str:
    """First line of what wrk says of itself, or an empty text where it is not installed."""
    try:
        said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
    return said.splitlines()[0].split("[")[0].strip() if said else ""


def busy_s(core: int) -> tuple[float, float]:
    """Seconds that one core has been busy since boot, and seconds the hypervisor took from it."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal = (int(field) / TICKS_PER_S for field in fields[:8])
            return user + nice + system + irq + softirq, steal
    raise SystemExit(f"cores: must be one of this machine's, got {core}")


def speed(core: int, *, duration_s: float = 0.3) -> float:
    """How fast a core is now: turns a second of a fixed piece of work, in thousands.

    A virtual machine's speed drifts with its neighbours; this number beside each figure says how much.
    """
    document, turns = {"data": [value / 7 for value in range(64)]}, 0
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    began = time.process_time()
    while (spent := time.process_time() - began) < duration_s:
        json.loads(json.dumps(document))
        turns += 1
    os.sched_setaffinity(0, affinity)
    return round(turns / spent / 1000, 2)
