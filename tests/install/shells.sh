#!/bin/bash
# shells.sh DIR: puts Debian's zsh and fish under DIR, for the tests of their completions. Then GIT_KEYLESS_SHELLS=DIR.
set -euo pipefail
mkdir -p "${1:?a directory}"; dir=$(cd "$1" && pwd); work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -qq -oAPT::Sandbox::User=root download zsh zsh-common fish fish-common libpcre2-32-0)
for deb in "$work"/*.deb; do dpkg -x "$deb" "$dir"; done
touch "$dir/ready"
