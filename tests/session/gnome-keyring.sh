#!/bin/bash
# gnome-keyring.sh DIR: puts Debian's gnome-keyring under DIR, without desktop and prompter, for the tests of the Secret
# Service. Nothing outside DIR is changed. Seconds.
set -euo pipefail
dir=${1:?a directory}
mkdir -p "$dir"; dir=$(cd "$dir" && pwd); work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
apt-get -qq update
command -v dbus-run-session dbus-send >/dev/null || apt-get -qq install -y --no-install-recommends dbus >/dev/null
# What the daemon itself is linked with, where the machine has it not.
(cd "$work" && apt-get -qq -oAPT::Sandbox::User=root download gnome-keyring libgck-1-0 libgcr-base-3-1 libcap-ng0)
for deb in "$work"/*.deb; do dpkg -x "$deb" "$dir"; done
cat >"$dir/daemon" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$dir/usr/lib/$(uname -m)-linux-gnu exec $dir/usr/bin/gnome-keyring-daemon "\$@"
EOF
chmod +x "$dir/daemon"
"$dir/daemon" --version
