#!/bin/bash
# check.sh TARGET [DIR]: whether the program compiles for x86_64-pc-windows-gnu or aarch64-apple-darwin, from Linux.
#
# Nothing is linked, so no toolchain of those systems is needed: the standard library is checked from its sources, with the
# compiler that they are of, from Debian; and where there is no C compiler for a target, one that compiles nothing stands in.
# Downloads 150 MB into DIR (~/.cache/git-keyless/targets), takes some five minutes. Needs apt; for Windows also dlltool
# (binutils-mingw-w64-x86-64).
set -euo pipefail
target=${1:?a target} dir=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/git-keyless/targets}
cd "$(dirname "$0")/../.."
mkdir -p "$dir"/{etc,lists/partial,cache/archives/partial,debs,root}
dir=$(cd "$dir" && pwd)
lib=$dir/root/usr/lib/x86_64-linux-gnu

if [[ ! -e $dir/rustc ]]; then
  # The machine's own Debian source, with the suite changed.
  awk 'BEGIN { RS = ""; ORS = "\n\n" } NR == 1' /etc/apt/sources.list.d/debian.sources |
    sed 's/^Suites:.*/Suites: sid/' >"$dir/etc/sid.sources"
  options=(-oDir::Etc::sourcelist=/dev/null -oDir::Etc::sourceparts="$dir/etc" -oDir::State::Lists="$dir/lists"
    -oDir::Cache="$dir/cache" -oAPT::Sandbox::User=root)
  apt-get -qq "${options[@]}" update
  std=$(apt-cache "${options[@]}" depends libstd-rust-dev | grep -o 'libstd-rust-[0-9][0-9.]*' | head -1)
  llvm=$(apt-cache "${options[@]}" depends "$std" | grep -o 'libllvm[0-9][0-9.]*' | head -1)
  (cd "$dir/debs" && apt-get -qq "${options[@]}" download rustc "$std" libstd-rust-dev rust-src "$llvm" libc6 libstdc++6 \
    libgcc-s1 zlib1g libedit2 libzstd1 libxml2-16 libffi8 libtinfo6)
  for deb in "$dir"/debs/*.deb; do dpkg -x "$deb" "$dir/root"; done
  ln -sfn "$(echo "$dir"/root/usr/src/rustc-*)" "$dir/root/usr/lib/rustlib/src/rust"
  cat >"$dir/cc" <<'EOF'
#!/bin/bash
# Compiles nothing: objects that nobody links.
out='' source='' last=''
for word in "$@"; do
  # What only Microsoft's compiler understands.
  [[ $word != '-?' ]] || exit 1
  [[ $last != -o ]] || out=$word
  case $word in *.c | *.S | *.cc) source=$word ;; esac
  last=$word
done
for word in "$@"; do [[ $word != -E ]] || exec gcc -E -x c "$source"; done
[[ -n $out || -z $source ]] || out=$(basename "${source%.*}").o
[[ -z $out ]] || echo 'int x;' | gcc -c -x c - -o "$out"
EOF
  printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s %s/root/usr/bin/rustc "$@"\n' "$lib" "$lib" "$dir" \
    >"$dir/rustc.new"
  chmod +x "$dir/cc" "$dir/rustc.new"
  mv "$dir/rustc.new" "$dir/rustc"
fi

variable=${target//-/_}
[[ $target != *-windows-* ]] || command -v x86_64-w64-mingw32-dlltool >/dev/null || {
  echo "dlltool is missing: apt-get install binutils-mingw-w64-x86-64" >&2
  exit 1
}
# Unwinding is what the program is built with; checked, it is the same everywhere.
env CARGO_TARGET_DIR="$dir/target" RUSTC="$dir/rustc" RUSTC_BOOTSTRAP=1 SDKROOT=/nonexistent "CC_$variable=$dir/cc" \
  "CXX_$variable=$dir/cc" "AR_$variable=ar" RUSTFLAGS='--deny warnings' \
  cargo check -Zbuild-std=std,panic_unwind --target "$target"
