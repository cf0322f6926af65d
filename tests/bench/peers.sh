#!/bin/bash
# tests/bench/peers.sh - what one might pick instead, by name and version from npm into build/peers, and a SQLite that all of them take (PowerSync
# refuses Debian's 3.40); then the bench, linked with that.  CC and LIBS: as make links; only make bench-peers calls it.
set -eu
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/../.."
build=${JINGUO_BUILD:-build/release}
peers=build/peers
packages=(@sqliteai/sqlite-sync-linux-x86_64@1.1.4 @powersync/node@1.1.0 better-sqlite3@12.11.1)
if [ ! -f "$peers/sqlite3.o" ]; then
	mkdir -p "$peers"
	npm install --silent --no-fund --no-audit --ignore-scripts --legacy-peer-deps --prefix "$peers" "${packages[@]}"
	"$CC" -O2 -fPIE -w -c -DSQLITE_ENABLE_SESSION -DSQLITE_ENABLE_PREUPDATE_HOOK -DSQLITE_ENABLE_DBSTAT_VTAB \
		"$peers/node_modules/better-sqlite3/deps/sqlite3/sqlite3.c" -o "$peers/sqlite3.o"
fi
# shellcheck disable=SC2086 # LIBS are several words
"$CC" "$build/tests/bench/peers.o" "$build/tests/bench/bench.o" "$build"/tests/support/*.o "$build/libjinguo.a" "$peers/sqlite3.o" $LIBS -lm -o "$peers/peers"
exec "$peers/peers" "$peers/node_modules/@sqliteai/sqlite-sync-linux-x86_64/cloudsync.so" \
	"$peers/node_modules/@powersync/node/lib/libpowersync_x64.linux.so"
