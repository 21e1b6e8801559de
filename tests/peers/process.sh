# Shared by the scripts beside it: where things are, Debian packages, and background processes with a pid file.
# Sourced, not run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Installed programs stay here between runs; what a server stores is thrown away at each start.
installed=${PEERS_DIR:-$(cd "$here/../.." && pwd)/target/peers}
port_base=${PEERS_PORT:-55460}
postgres_port=$((port_base + 1))
redis_port=$((port_base + 2))
bluesky_port=$((port_base + 3))
matrix_port=$((port_base + 4))
# Not under the checkout: PostgreSQL runs as another user when we are root, and must be able to reach its files.
state=${TMPDIR:-/tmp}/muhatap-peers-$port_base
mkdir -p "$installed" "$state"
chmod 755 "$state"

fail() {
    echo "tests/peers: $*" >&2
    exit 1
}

# need_packages COMMAND=DEBIAN_PACKAGE...: installs what is missing, or says what to install.
need_packages() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
        || fail "missing: ${missing[*]}; install these (Debian: apt-get install ${missing[*]}) and start again"
    echo "installing ${missing[*]}" >&2
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } \
        >"$state/apt.log" 2>&1 || { tail -5 "$state/apt.log" >&2; fail "could not install ${missing[*]}, see $state/apt.log"; }
}

# is_running NAME: whether the process this checkout's scripts started under that name still runs.
is_running() {
    [ -s "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null
}

# start_process NAME COMMAND...: in the background, in a session of its own, output to a log.
start_process() {
    local name=$1
    shift
    setsid "$@" >"$state/$name.log" 2>&1 </dev/null &
    echo $! >"$state/$name.pid"
}

# wait_for NAME SECONDS COMMAND...: until the command succeeds; fails with the end of the log when it never does.
wait_for() {
    local name=$1 until=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        is_running "$name" || { tail -20 "$state/$name.log" >&2; fail "$name ended while starting, see $state/$name.log"; }
        [ $SECONDS -lt $until ] || { tail -20 "$state/$name.log" >&2; fail "$name is not ready, see $state/$name.log"; }
        sleep 0.2
    done
}

# stop_process NAME: asks, and after 10 s insists.
stop_process() {
    local pid
    if is_running "$1"; then
        pid=$(cat "$state/$1.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
        kill -9 "$pid" 2>/dev/null || true
    fi
    rm -f "$state/$1.pid"
}
