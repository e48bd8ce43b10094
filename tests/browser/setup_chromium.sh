#!/bin/bash
# Brings what the tests of tests/browser need to a Debian machine: Chromium, and axe-core, which finds what keeps people
# from using a page.
#
#   bash tests/browser/setup_chromium.sh      as root; does nothing where both are there
set -euo pipefail
cd "$(dirname "$0")/../.."

AXE_CORE=4.14.1

say() { printf 'setup_chromium: %s\n' "$*"; }
stop() { printf 'error: %s\n' "$*" >&2; exit 1; }

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v npm > /dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || stop "setup_chromium.sh installs ${missing[*]}: run it as root"
    command -v apt-get > /dev/null || stop "setup_chromium.sh knows Debian only: install ${missing[*]} as your system does"
    say "installing ${missing[*]}"
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null
fi
if [ ! -f node_modules/axe-core/axe.min.js ]; then
    say "fetching axe-core $AXE_CORE"
    # In a folder of its own: npm would take away what else is in node_modules.
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && npm pack --silent "axe-core@$AXE_CORE" > /dev/null && tar -xzf axe-core-*.tgz)
    mkdir -p node_modules
    rm -rf node_modules/axe-core
    mv "$folder/package" node_modules/axe-core
fi
say "$(chromium --version --no-sandbox 2> /dev/null || chromium --version), axe-core $AXE_CORE"
