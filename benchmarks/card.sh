#!/bin/sh
# Everything to be seen on a CUDA card, in at most eight minutes: the tests of devices, and figures.
#
#     sh benchmarks/card.sh [FOLDER]
#
# Needs what the tests and the benchmarks need; the log of the tests and card.json go to FOLDER.
cd "$(dirname "$0")/.." || exit 1
to=${1:-benchmarks/results}
export PYTHONPATH="$PWD" PYTHONUNBUFFERED=1
timeout 200 python3 -m pytest tests -k cuda --maxfail=20 -n 8 -q \
    --continue-on-collection-errors -p no:benchmark -p no:cacheprovider \
    > "$to/card_tests.log" 2>&1
tail -n 25 "$to/card_tests.log"
timeout 270 python3 benchmarks/card.py --to "$to"
