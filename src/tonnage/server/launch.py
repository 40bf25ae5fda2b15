"""From settings to a running server: the only worker, one of several, or their supervisor.

What each of them needs is imported when it is clear which one this process is.
"""

from __future__ import annotations

import os

import msgspec

from tonnage.contract.server_config import ServerConfig


def run_server(config: ServerConfig) -> int:
    """Serve in this process, with as many workers as the settings say, until a signal has been obeyed.

    Returns:
        The exit code.
    """
    _limit_threads(config)
    if config.workers is None:
        from tonnage.server.cpu import default_workers

        config = msgspec.structs.replace(config, workers=default_workers())
    if config.workers == 1:
        from tonnage.server.metrics.block import Block
        from tonnage.server.worker import run_worker

        return run_worker(config, Block.create(1), 0)
    from tonnage.server.supervisor import run_supervisor

    return run_supervisor(config)


def run_member(config: ServerConfig, *, index: int, block_fd: int) -> int:
    """Be one of several workers, as the supervisor starts them.

    Args:
        config: The server's settings.
        index: Which one.
        block_fd: The memory of the metrics, inherited from the supervisor.

    Returns:
        The exit code.
    """
    _limit_threads(config)
    from tonnage.server.metrics.block import Block
    from tonnage.server.worker import run_worker

    return run_worker(config, Block.inherit(block_fd), index)


def _limit_threads(config: ServerConfig) -> None:
    """Give a model call the threads that the settings say, not one for each CPU of the host.

    NB: numpy reads these when it is imported, which must be after this.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(config.model.threads))
