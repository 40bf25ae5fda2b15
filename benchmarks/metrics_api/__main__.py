"""See ``measuring``."""

from benchmarks.metrics_api.measuring import main

main()
