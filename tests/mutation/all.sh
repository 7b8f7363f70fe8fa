#!/bin/bash
# Every mutant that cargo-mutants makes of the pure half must be noticed by a test, or stand in survivors.txt with the
# reason why none does:
#
#   tests/mutation/all.sh [FILE...]
#
# FILE is a source file; all of the pure half without, which takes hours. The mutants are made in a copy of the tree in
# which the library alone is built, without doors and world, and tried against its unit tests and pure.rs. Two at a time,
# with no more memory than a good one needs many times over: some mutants never end.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/git-keyless
mutants=$cache/mutants/bin/cargo-mutants
"$mutants" mutants --version >/dev/null 2>&1 ||
  CARGO_TARGET_DIR=$cache/mutants/target cargo install cargo-mutants --version 27.1.0 --locked --quiet --root "$cache/mutants"
[[ $# -gt 0 ]] || set -- src/verify.rs 'src/verify/*.rs' 'src/format/*.rs' src/format/cms/build.rs src/key.rs src/trust.rs src/trust/parts.rs \
  src/policy.rs src/report.rs src/report/reason.rs
files=()
for file in "$@"; do files+=(--file "$file"); done
room=${CARGO_TARGET_DIR:-target}/mutants
mkdir -p "$room"
room=$(cd "$room" && pwd)

# The tree, where the library alone is what is built and pure.rs the only test.
prepare() {
  rm -rf "$1/tree" "$1/mutants.out"
  mkdir -p "$1/tree"
  git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- |
    tar --extract --directory="$1/tree"
  awk '/^\[\[test\]\]/ { skip = 1 } /^\[/ && !/^\[\[test\]\]/ { skip = 0 }
    /^default = / { print "default = []"; next } !skip { print }
    END { print "\n[[test]]\nname = \"pure\"\npath = \"tests/mutation/pure.rs\"" }' Cargo.toml >"$1/tree/Cargo.toml"
}

try() {
  local part=$1
  shift
  ulimit -v 8000000
  cd "$room/$part/tree"
  CARGO_TARGET_DIR=$room/$part/target "$mutants" mutants --in-place --baseline skip --timeout 30 --colors never \
    --shard "$part/2" --output "$room/$part" --cargo-arg=--lib --cargo-arg=--test --cargo-arg=pure "$@" || [[ $? == [23] ]]
}

prepare "$room/0"
(cd "$room/0/tree" && CARGO_TARGET_DIR=$room/0/target cargo test --quiet --lib --test pure)
prepare "$room/1"
[[ -d $room/1/target ]] || cp -a "$room/0/target" "$room/1/target"
try 0 "${files[@]}" & first=$!
try 1 "${files[@]}"
wait $first

# Lines move; what is replaced by what does not.
cat "$room"/[01]/mutants.out/missed.txt | sed 's/:[0-9]*:[0-9]*: /: /' | sort -u >"$room/missed"
grep '^src/' tests/mutation/survivors.txt | sort -u >"$room/known"
for word in caught unviable timeout missed; do
  printf '%6d %s\n' "$(cat "$room"/[01]/mutants.out/$word.txt | wc -l)" "$word"
done
if comm -23 "$room/missed" "$room/known" | grep .; then
  echo "these survive, and survivors.txt does not say why"
  exit 1
fi
