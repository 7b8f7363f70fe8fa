#!/bin/bash
# Installs what the login tests talk to into $1 (default: ~/.cache/git-keyless): Debian's Chromium with the libraries
# that this machine lacks into chromium, the OpenID provider `oidc-provider` into oidc-provider. Nothing else on the
# machine is changed. Needs apt (root for its lists) and Node >= 20; 125 MB are fetched.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/git-keyless}
mkdir -p "$cache"

chromium=$cache/chromium
if [[ ! -x $chromium/chromium ]]; then
  rm -rf "$chromium"
  mkdir -p "$chromium/debs"
  # What would be installed, fetched and unpacked beside the machine instead.
  packages=$(apt-get install -s --no-install-recommends chromium | awk '/^Inst/ { print $2 }')
  # A machine that has it already still gets one of its own.
  (cd "$chromium/debs" && apt-get -qq -oAPT::Sandbox::User=root download ${packages:-chromium chromium-common})
  for deb in "$chromium"/debs/*.deb; do dpkg -x "$deb" "$chromium"; done
  rm -r "$chromium/debs"
  cat >"$chromium/chromium.part" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$chromium/usr/lib/x86_64-linux-gnu:$chromium/usr/lib/x86_64-linux-gnu/pulseaudio:$chromium/lib/x86_64-linux-gnu exec $chromium/usr/lib/chromium/chromium "\$@"
EOF
  chmod +x "$chromium/chromium.part"
  "$chromium/chromium.part" --version
  mv "$chromium/chromium.part" "$chromium/chromium"
fi

provider=$cache/oidc-provider
if ! cmp -s "$here/packages.json" "$provider/installed"; then
  rm -rf "$provider"
  mkdir "$provider"
  cp "$here/packages.json" "$provider/package.json"
  (cd "$provider" && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error)
  cp "$here/packages.json" "$provider/installed"
fi
