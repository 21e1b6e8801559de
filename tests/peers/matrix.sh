#!/usr/bin/env bash
# A real Matrix homeserver (Synapse from PyPI, SQLite, no federation, no rate limits).   matrix.sh start|stop
# Users brand/brandpw and musteri/pw. Access tokens live for 5 s instead of 5 min, so that every journey renews them.
. "$(dirname "$0")/process.sh"

address=http://localhost:$matrix_port
folder=$installed/matrix
synapse=1.163.2
secret=peers-only

install() {
    [ "$(cat "$folder/installed" 2>/dev/null)" = "$synapse" ] && return
    need_packages python3=python3
    python3 -c 'import ensurepip' 2>/dev/null || need_packages python3-venv=python3-venv
    echo "installing Synapse $synapse (a minute or two, once)" >&2
    mkdir -p "$folder"
    { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install -q --disable-pip-version-check "matrix-synapse==$synapse"; } \
        >"$folder/install.log" 2>&1 || { tail -5 "$folder/install.log" >&2; fail "could not install Synapse, see $folder/install.log"; }
    echo "$synapse" >"$folder/installed"
}

configure() {
    rm -rf "$state/matrix"
    mkdir -p "$state/matrix"
    cat >"$state/matrix/homeserver.yaml" <<YAML
server_name: localhost
listeners:
  - { port: $matrix_port, type: http, tls: false, bind_addresses: [127.0.0.1], resources: [{ names: [client], compress: false }] }
database: { name: sqlite3, args: { database: $state/matrix/homeserver.db } }
signing_key_path: $state/matrix/signing.key
media_store_path: $state/matrix/media
registration_shared_secret: $secret
macaroon_secret_key: $secret
form_secret: $secret
refreshable_access_token_lifetime: 5s
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
url_preview_enabled: false
rc_message: &unlimited { per_second: 1000, burst_count: 1000 }
rc_registration: *unlimited
rc_joins: { local: *unlimited, remote: *unlimited }
rc_invites: { per_room: *unlimited, per_user: *unlimited, per_issuer: *unlimited }
rc_login: { address: *unlimited, account: *unlimited, failed_attempts: *unlimited }
rc_room_creation: *unlimited
YAML
}

answers() {
    curl -sf -m 5 "$address/_matrix/client/versions"
}

start() {
    local python=$folder/venv/bin/python user
    if is_running matrix && answers >/dev/null; then
        echo "matrix $address"
        return
    fi
    stop_process matrix
    need_packages curl=curl
    install
    configure
    "$python" -m synapse.app.homeserver -c "$state/matrix/homeserver.yaml" --generate-keys >"$state/matrix.log" 2>&1 \
        || { tail -5 "$state/matrix.log" >&2; fail "Synapse refuses its configuration, see $state/matrix.log"; }
    (cd "$state/matrix" && start_process matrix "$python" -m synapse.app.homeserver -c homeserver.yaml)
    wait_for matrix 120 answers
    for user in brand:brandpw musteri:pw; do
        "$folder/venv/bin/register_new_matrix_user" -u "${user%%:*}" -p "${user##*:}" --no-admin -k "$secret" "$address" \
            >>"$state/matrix.log" 2>&1 || fail "could not register ${user%%:*}, see $state/matrix.log"
    done
    echo "matrix $address"
}

case ${1:-start} in
    start) start ;;
    stop) stop_process matrix ;;
    *) fail "usage: matrix.sh start|stop" ;;
esac
