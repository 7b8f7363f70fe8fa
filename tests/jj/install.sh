#!/bin/bash
# install.sh DIR: puts jj of Debian sid under DIR, with its own libraries. Then: DIR/usr/bin/jj --version
# Nothing outside DIR is changed, patchelf aside (installed if missing). Needs root for apt, about 20 s.
set -euo pipefail
dir=${1:?a directory}
rm -rf "$dir"; mkdir -p "$dir"; dir=$(cd "$dir" && pwd); work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{etc,lists/partial,cache/archives/partial,debs}
awk 'BEGIN{RS="";ORS="\n\n"} NR==1' /etc/apt/sources.list.d/debian.sources | sed 's/^Suites:.*/Suites: sid/' >"$work/etc/sid.sources"
apt=(-qq -oDir::Etc::sourcelist=/dev/null -oDir::Etc::sourceparts="$work/etc" -oDir::State::Lists="$work/lists"
  -oDir::Cache="$work/cache" -oAPT::Sandbox::User=root)
command -v patchelf >/dev/null || { apt-get -qq update && apt-get -qq install -y patchelf >/dev/null; }
apt-get "${apt[@]}" update
# What the package depends on, whatever it is called this month, and what that depends on.
mapfile -t debs < <(apt-cache "${apt[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances --no-pre-depends jujutsu | grep -E '^(jujutsu|lib[a-z0-9.+-]+)$' | sort -u)
(cd "$work/debs" && apt-get "${apt[@]}" download "${debs[@]}")
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$dir"; done
libs=$dir/usr/lib/x86_64-linux-gnu
patchelf --set-interpreter "$libs/ld-linux-x86-64.so.2" --set-rpath "$libs" "$dir/usr/bin/jj"
# Libraries too find each other there.
find "$libs" -maxdepth 1 -name '*.so*' -type f ! -name 'ld-linux*' ! -name 'libc.so*' -exec patchelf --set-rpath "$libs" {} + 2>/dev/null || true
"$dir/usr/bin/jj" --version
