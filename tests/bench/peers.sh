#!/bin/bash
# tests/bench/peers.sh - what one might pick instead, installed by name from npm into build/peers, then build/release/bench/peers.
set -eu
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/../.."
build=${JINGUO_BUILD:-build/release}
package=@sqliteai/sqlite-sync-linux-x86_64 version=1.1.4
if [ ! -f "build/peers/node_modules/$package/cloudsync.so" ]; then
	mkdir -p build/peers
	npm install --silent --no-fund --no-audit --ignore-scripts --prefix build/peers "$package@$version"
fi
exec "$build/bench/peers" "build/peers/node_modules/$package/cloudsync.so"
