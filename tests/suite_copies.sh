#!/bin/bash
# suite_copies.sh - two copies of a county hub as real processes on two ports (tests/suite_copies.py).
# suite-timeout: 200
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_copies.py "$@"
