#!/usr/bin/env bash
# `make peers`: starts the real networks, runs everything that speaks to them, and stops them unless they ran before
# (or PEERS_KEEP is set).
set -euo pipefail
cd "$(dirname "$0")/../.."
kept=${PEERS_KEEP:-}
tests/peers/start.sh running && kept=1
[ -n "$kept" ] || trap 'tests/peers/start.sh stop' EXIT
tests/peers/start.sh
# The whole workspace, so that its dependencies keep the features `make test` built them with.
cargo test --locked --workspace --test peers -- --test-threads=4 --show-output
