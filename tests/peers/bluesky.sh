#!/usr/bin/env bash
# A real Bluesky network (identity directory, PDS, AppView, moderation service) from the npm package @atproto/dev-env.
#   bluesky.sh start|stop        start prints the PDS address; users are in bluesky.mjs
. "$(dirname "$0")/process.sh"

address=http://localhost:$bluesky_port
folder=$installed/bluesky
dev_env=0.6.7

install() {
    local node=$1 wanted
    wanted="$dev_env on node $("$node/bin/node" --version)"
    [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && return
    need_packages g++=g++ make=make python3=python3
    echo "installing @atproto/dev-env $dev_env (some minutes, once)" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    echo '{"private":true}' >"$folder/package.json"
    # better-sqlite3 is compiled where no binary of it can be fetched, against the headers beside our Node.
    (cd "$folder" && PATH="$node/bin:$PATH" npm_config_nodedir=$node npm install --no-audit --no-fund --no-package-lock \
        "@atproto/dev-env@$dev_env") >"$folder/install.log" 2>&1 \
        || { tail -20 "$folder/install.log" >&2; fail "could not install the Bluesky network, see $folder/install.log"; }
    # Some versions of npm leave the compiling to be asked for.
    [ -f "$folder/node_modules/better-sqlite3/build/Release/better_sqlite3.node" ] \
        || (cd "$folder" && PATH="$node/bin:$PATH" npm_config_nodedir=$node npm rebuild better-sqlite3) >>"$folder/install.log" 2>&1 \
        || { tail -20 "$folder/install.log" >&2; fail "could not compile better-sqlite3, see $folder/install.log"; }
    echo "$wanted" >"$folder/installed"
}

start() {
    local node
    if is_running bluesky && curl -sf -m 5 "$address/xrpc/_health" >/dev/null; then
        echo "bluesky $address"
        return
    fi
    stop_process bluesky
    need_packages curl=curl
    node=$("$here/node.sh")
    install "$node"
    "$here/databases.sh" start
    PEERS_PDS_PORT=$bluesky_port \
    DB_POSTGRES_URL=postgresql://peers@127.0.0.1:$postgres_port/postgres \
    REDIS_HOST=127.0.0.1:$redis_port \
    NODE_ENV=development LOG_ENABLED=false \
        start_process bluesky "$node/bin/node" "$here/bluesky.mjs" "$folder"
    wait_for bluesky 180 grep -q '^ready' "$state/bluesky.log"
    echo "bluesky $address"
}

case ${1:-start} in
    start) start ;;
    stop) stop_process bluesky ;;
    *) fail "usage: bluesky.sh start|stop" ;;
esac
