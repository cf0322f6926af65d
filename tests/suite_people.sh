#!/bin/bash
# suite_people.sh - accounts, roles, sessions and what they protect, with real programs (tests/suite_people.py).
# suite-timeout: 250
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/suite_people.py "$@"
