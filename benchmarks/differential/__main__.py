"""Compares Tonnage's decisions with Kubernetes' own Go code, at length.

    python -m benchmarks.differential hpa         --calculations 1000000 --scenarios 10000
    python -m benchmarks.differential scheduling  (see --help)
    python -m benchmarks.differential gpus        --fleets 1200

Each keeps its result in ``benchmarks/differential/results/``, and ends with 1 when there was a difference.
"""

from __future__ import annotations

import importlib
import sys

COMPARISONS = ("hpa", "scheduling", "gpus")


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in COMPARISONS:
        print(__doc__)
        return 2
    module = importlib.import_module(f"benchmarks.differential.{sys.argv[1]}")
    return int(module.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
