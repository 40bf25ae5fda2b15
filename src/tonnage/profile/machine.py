"""What the machine is and how calm it is, read from Linux and from the drivers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tonnage
from tonnage.profile.parts import Gpu, Machine
from tonnage.profile.plan import Cpus
from tonnage.profile.quantiles import nearest_rank
from tonnage.server.cpu import cpu_limit

_PACKAGES: Final = ("numpy", "uvloop", "httptools", "msgspec", "orjson")
_OF_FORMAT: Final = {"onnx": ("onnxruntime", "onnxruntime-gpu"), "torch": ("torch",)}
_IDLE: Final = 3  # fields of a "cpu" line; waiting for a disk comes after idle
_STEAL: Final = 7
_SLEEP_S: Final = 0.001
_GPU_QUERY: Final = ("name", "memory.total", "driver_version")


def describe_machine(cpus: Cpus) -> Machine:
    """What this machine is."""
    info = _cpu_info()
    limit = cpu_limit()
    return Machine(
        cpu=info.get("model name") or info.get("Model") or platform.processor() or platform.machine(),
        architecture=platform.machine(),
        cpus=os.cpu_count() or 1,
        cpus_server=cpus.server,
        cpus_generator=cpus.generator,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        virtual="hypervisor" in info["flags"].split() if "flags" in info else None,
        cgroup_cpu_limit=limit if limit < len(os.sched_getaffinity(0)) else None,
        cgroup_memory_limit_bytes=_memory_limit(),
        gpus=_gpus(),
    )


def describe_versions(model_format: str) -> dict[str, str]:
    """Versions of what takes part in serving a model of a format."""
    versions = {"tonnage": tonnage.__version__, "python": sys.version.split()[0]}
    for name in (*_PACKAGES, *_OF_FORMAT.get(model_format, ())):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """How some CPUs have spent their time so far.

    Attributes:
        stolen_s: Taken by the hypervisor for others [s].
        busy_s: Used by programs and the kernel [s].
        total_s: All of it, idle time included [s].
        own_s: CPU time of this process, and of all that it has started and that have ended [s].
    """

    stolen_s: float
    busy_s: float
    total_s: float
    own_s: float


def cpu_times(cpus: tuple[int, ...]) -> CpuTimes:
    """How some CPUs have spent their time since they started.

    Source: proc(5), ``/proc/stat``: user, nice, system, idle, iowait, irq, softirq, steal; what follows
    is counted in user already.
    """
    stolen = busy = total = 0.0
    wanted = {f"cpu{cpu}" for cpu in cpus}
    for line in _read("/proc/stat").splitlines():
        name, *fields = line.split()
        if name in wanted and len(fields) > _STEAL:
            ticks = [float(field) for field in fields[: _STEAL + 1]]
            stolen += ticks[_STEAL]
            total += sum(ticks)
            busy += sum(ticks) - ticks[_STEAL] - ticks[_IDLE] - ticks[_IDLE + 1]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_s = children.ru_utime + children.ru_stime + (time.process_time() if _is_here(cpus) else 0.0)
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
    return CpuTimes(stolen * tick_s, busy * tick_s, total * tick_s, own_s)


def _is_here(cpus: tuple[int, ...]) -> bool:
    """Whether this process, too, runs on those CPUs only."""
    return os.sched_getaffinity(0) <= set(cpus)


def taken(before: CpuTimes, after: CpuTimes) -> tuple[float | None, float | None]:
    """What others took of some CPUs between two looks.

    Args:
        before: The first look.
        after: The second one, when all that was started in between has ended.

    Returns:
        The share of the hypervisor, and that of programs that are not ours; None where nothing is known.
        What ours used elsewhere, such as several processes of a load generator, makes the second too low.
    """
    total_s = after.total_s - before.total_s
    if total_s <= 0:
        return None, None
    others_s = after.busy_s - before.busy_s - (after.own_s - before.own_s)
    return (after.stolen_s - before.stolen_s) / total_s, max(0.0, others_s / total_s)


def timer_lag_p99_s(duration_s: float) -> float:
    """How late this thread wakes from sleeps of a millisecond, at the 99th percentile [s].

    Args:
        duration_s: How long to try [s], > 0.
    """
    lags: list[float] = []
    end_s = time.perf_counter() + duration_s
    while (before_s := time.perf_counter()) < end_s:
        time.sleep(_SLEEP_S)
        lags.append(max(0.0, time.perf_counter() - before_s - _SLEEP_S))
    return nearest_rank(sorted(lags), 99) if lags else 0.0


def _cpu_info() -> dict[str, str]:
    """The first processor's entries of ``/proc/cpuinfo``."""
    info: dict[str, str] = {}
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        info.setdefault(name.strip(), value.strip())
    return info


def _memory_limit() -> int | None:
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(file).strip()
        if text.isdigit() and int(text) < 1 << 60:  # version 1 says "no limit" by a huge number
            return int(text)
    return None


def _gpus() -> tuple[Gpu, ...]:
    """GPUs as NVIDIA's tool tells them; none where it is absent."""
    query = [f"--query-gpu={','.join(_GPU_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus = []
    for line in done.stdout.splitlines():
        name, memory, driver = (part.strip() for part in line.rsplit(",", 2))
        size = int(memory) << 20 if memory.isdigit() else None  # in MiB
        gpus.append(Gpu(name=name, memory_bytes=size, driver=driver or None))
    return tuple(gpus)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
