#!/bin/bash
# suite_county.sh - what a county alone can tell (tests/suite_county.py).
# suite-timeout: 200
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_county.py "$@"
