#!/bin/bash
# suite_campaign.sh - the short form of `make campaign`: three tiers of real processes under fire (tests/campaign.py).
# suite-timeout: 600
cd "$(dirname "$0")/.." || exit 1
exec python3 tests/campaign.py --short
