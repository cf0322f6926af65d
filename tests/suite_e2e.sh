#!/bin/bash
# suite_e2e.sh - real processes, real ZeroMQ over loopback, three tiers (tests/suite_e2e.py).
# suite-timeout: 300
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_e2e.py "$@"
