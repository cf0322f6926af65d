#!/bin/bash
# suite_trust.sh - who may join, who stays, who goes: three tiers of real processes (tests/suite_trust.py).
# suite-timeout: 300
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_trust.py "$@"
