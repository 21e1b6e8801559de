#!/usr/bin/env bash
# Starts the real networks that `make peers` speaks to and prints their addresses; what already runs stays as it is.
#   start.sh [stop|running]     PEERS_PORT: first of five ports (55460); PEERS_DIR: where programs are installed (target/peers)
. "$(dirname "$0")/process.sh"
exec 9>"$state/lock"
flock -w 900 9 || fail "another start is still running"
case ${1:-start} in
    start)
        "$here/matrix.sh" start 9>&- &
        matrix=$!
        "$here/bluesky.sh" start 9>&-
        wait "$matrix"
        ;;
    stop)
        "$here/bluesky.sh" stop 9>&-
        "$here/matrix.sh" stop 9>&-
        "$here/databases.sh" stop 9>&-
        ;;
    running) is_running bluesky && is_running matrix ;;
    *) fail "usage: start.sh [stop|running]" ;;
esac
