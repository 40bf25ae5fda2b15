"""``python -m tonnage.server --config FILE``: the model server from its settings, as a pod runs it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from tonnage.contract.server_config import ServerConfig
from tonnage.server.launch import run_member, run_server


def main() -> int:
    """Read the settings and serve."""
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
    if arguments.worker is not None:
        return run_member(config, index=arguments.worker, block_fd=arguments.block_fd)
    return run_server(config)


if __name__ == "__main__":
    sys.exit(main())
