"""``python -m tonnage.server --config FILE``: the model server from its settings, as a pod runs it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import msgspec

from tonnage.contract.server_config import ServerConfig


def main() -> int:
    """Read the settings, then be the only worker, one of several, or their supervisor."""
    parser = argparse.ArgumentParser(prog="python -m tonnage.server", description=__doc__)
    parser.add_argument("--config", required=True, help="file with the server's settings as JSON")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--block-fd", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        config = msgspec.json.decode(Path(arguments.config).read_bytes(), type=ServerConfig)
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"{arguments.config}: must be the server's settings as JSON, got {error}\n")
        return 2
    # what runs inside a model call takes the threads that the document gives, not one for each host CPU
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(config.model.threads))
    from tonnage.server.metrics.block import Block  # numpy must see the lines above

    if arguments.worker is not None:
        from tonnage.server.worker import run_worker

        return run_worker(config, Block.inherit(arguments.block_fd), arguments.worker)
    if config.workers is None:
        from tonnage.server.cpu import default_workers

        config = msgspec.structs.replace(config, workers=default_workers())
    if config.workers == 1:
        from tonnage.server.worker import run_worker

        return run_worker(config, Block.create(1), 0)
    from tonnage.server.supervisor import run_supervisor

    return run_supervisor(config)


if __name__ == "__main__":
    sys.exit(main())
