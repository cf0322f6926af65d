#!/bin/bash
# suite_sealed.sh - restricted cases, sealed to officers, with real programs (tests/suite_sealed.py).
# suite-timeout: 200
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_sealed.py "$@"
