#!/bin/bash
# suite_privacy.sh - consent withdrawn, with real programs (tests/suite_privacy.py).
# suite-timeout: 200
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_privacy.py "$@"
