#!/bin/bash
# suite_vectors.sh - the test vectors of proto/README.md, read by another implementation (tests/vectors.py).
# Debian's interpreter: python3-cryptography and python3-msgpack (deploy/deps test) are its.
cd "$(dirname "$0")/.." || exit 1
exec /usr/bin/python3 tests/vectors.py "$@"
