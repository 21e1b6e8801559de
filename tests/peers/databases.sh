#!/usr/bin/env bash
# PostgreSQL and Redis for the Bluesky network: throw-away, on 127.0.0.1.   databases.sh start|stop
. "$(dirname "$0")/process.sh"

programs() {
    command -v initdb >/dev/null 2>&1 && dirname "$(readlink -f "$(command -v initdb)")" && return
    ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1
}

# PostgreSQL refuses to run as root.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start() {
    local bin
    need_packages redis-server=redis-server
    [ -n "$(programs)" ] || need_packages initdb=postgresql
    bin=$(programs)
    [ -x "$bin/initdb" ] || fail "no PostgreSQL server programs found; install the package postgresql"

    if ! "$bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port"; then
        rm -rf "$state/postgres"
        mkdir -p "$state/postgres"
        [ "$(id -u)" != 0 ] || chown postgres "$state/postgres"
        (cd "$state/postgres" && as_server_user "$bin/initdb" -D "$state/postgres/data" -A trust -U peers) >"$state/initdb.log" 2>&1 \
            || { tail -5 "$state/initdb.log" >&2; fail "initdb failed, see $state/initdb.log"; }
        (cd "$state/postgres" && as_server_user "$bin/pg_ctl" -w -t 60 -D "$state/postgres/data" -l "$state/postgres/log" -o \
            "-p $postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$state/postgres -c fsync=off -c max_connections=200" \
            start) >"$state/postgres.log" 2>&1 || { tail -20 "$state/postgres/log" >&2; fail "PostgreSQL did not start"; }
    fi
    if ! redis-cli -p "$redis_port" ping >/dev/null 2>&1; then
        start_process redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$state"
        wait_for redis 20 redis-cli -p "$redis_port" ping
    fi
}

stop() {
    stop_process redis
    if [ -d "$state/postgres/data" ]; then
        (cd "$state/postgres" && as_server_user "$(programs)/pg_ctl" -w -t 20 -m immediate -D "$state/postgres/data" stop) \
            >/dev/null 2>&1 || true
        rm -rf "$state/postgres"
    fi
}

case ${1:-start} in
    start) start ;;
    stop) stop ;;
    *) fail "usage: databases.sh start|stop" ;;
esac
