#!/bin/sh
# Measures everything and prints the tables.  Further options, such as --nice -10, are passed to every command.
set -eu
cd "$(dirname "$0")/../.."
bench="${PYTHON:-python} -m benchmarks.serving"
$bench prepare --models tiny,magika,minilm,wide "$@"
failed=""
for step in "scan" "closed" "bare --models tiny,magika,minilm,wide" "efficiency --models magika,minilm,wide" \
    "open --rate 10000" "overload --models magika --deadline 1" \
    "overload --models wide --deadline 0.1 --open-connections 2048" "startup" "soak --requests 10000000"; do
    # One peer that fails to start must not cost the results of all others.
    $bench $step "$@" || failed="$failed ${step%% *}"
done
$bench report "$@"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
