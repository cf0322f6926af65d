#!/bin/bash
# suite_truth.sh - a county hub whose program was patched, between honest sites and an honest province (tests/suite_truth.py).
# suite-timeout: 240
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_truth.py "$@"
