"""Entry point of ``python -m benchmarks.twin``."""

from benchmarks.twin.cli import main

if __name__ == "__main__":
    main()
