#!/bin/bash
# Installs the other clients of Sigstore into $1 (default: ~/.cache/git-keyless): sigstore-python into foreign,
# sigstore-js into foreign-js. Every version is pinned, those underneath too. Needs Python >= 3.10 and Node >= 20.17.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/git-keyless}
mkdir -p "$cache"

# Whether what is listed in $1 was wholly installed into the folder $2.
installed() { cmp -s "$1" "$2/installed"; }

python=$cache/foreign
if ! installed "$here/requirements.txt" "$python" || ! "$python/bin/python" --version; then
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$python/installed"
fi

js=$cache/foreign-js
if ! installed "$here/packages.json" "$js"; then
  rm -rf "$js"
  mkdir "$js"
  cp "$here/packages.json" "$js/package.json"
  (cd "$js" && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error)
  cp "$here/packages.json" "$js/installed"
fi
