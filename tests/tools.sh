#!/usr/bin/env bash
# Installs what the tests run beside the product, where it is missing: PostgreSQL, Redis, Chromium and its driver,
# sqlite3 (the benchmark's measure), faketime and the Japanese dictionary. Debian packages; other systems get the list.
set -euo pipefail

missing=()
need() { # a package, then a test that it is there
  local package=$1; shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb'
need redis-server command -v redis-server
need openssl command -v openssl
need faketime command -v faketime
need chromium sh -c 'command -v chromium || command -v google-chrome'
need chromium-driver command -v chromedriver
need sqlite3 command -v sqlite3
need mecab-ipadic test -d /usr/share/mecab/dic/ipadic
need fonts-noto-color-emoji sh -c 'fc-list | grep -qi emoji'
need fonts-noto-cjk sh -c 'fc-list | grep -qi "noto.*cjk"'
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "the tests need: ${missing[*]} (Debian's names); install them and run this again" >&2
  exit 2
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "run as root: apt-get install ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
