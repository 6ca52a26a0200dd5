#!/bin/sh
# Prepares a fresh clone for `npm start` and `npm test`: checks prerequisites, installs packages and builds tools. Option
# --for-<suite> adds the tools of a test suite (toolsFor in tools.ts). Returns at once when nothing is missing. Needs no
# package itself.
set -eu
cd "$(dirname "$0")/.."

missing() {
    echo "setup: $1" >&2
    exit 1
}

how_to_get_node="install release 22.12 or newer from https://nodejs.org"
command -v node > /dev/null || missing "Node.js is missing: $how_to_get_node"
node_version=$(node --version)
node_major=${node_version#v}
node_minor=${node_major#*.}
node_major=${node_major%%.*}
node_minor=${node_minor%%.*}
if [ "$node_major" -lt 22 ] || { [ "$node_major" -eq 22 ] && [ "$node_minor" -lt 12 ]; }; then
    missing "Node.js $node_version is too old: $how_to_get_node, or put \`npm exec --package=node@22 --\` before the command"
fi
command -v git > /dev/null || missing "git is missing: install it (Debian, Ubuntu: sudo apt-get install git)"
command -v go > /dev/null || missing "Go is missing: install release 1.26 or newer from https://go.dev/dl/"

# npm writes this file last, so an interrupted installation is repeated.
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
    echo "Installing the packages of package-lock.json" >&2
    npm ci || missing "npm could not install the packages: see its message above, and rerun it"
fi

exec node toolchain/compile.cjs setup "$@"
