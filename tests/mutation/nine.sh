#!/bin/bash
# Each of the nine steps, made to pass always, must be noticed by a vector:
#
#   tests/mutation/nine.sh
#
# The patches beside this file go into a copy of the tree, all at once: each acts where $MUTANT names its step, so that one
# build serves all. First the copy must pass as it is, then fail nine times. Fails when a patch does not apply, and when a
# mutant survives.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
room=$target/mutation tree=$target/mutation/tree
rm -rf "$tree"
mkdir -p "$tree"

git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- | tar --extract --directory="$tree"
shopt -s nullglob
patches=(tests/mutation/[1-9]-*.patch)
[[ ${#patches[@]} == 9 ]] || { echo "${#patches[@]} patches, not nine"; exit 1; }
for patch in "${patches[@]}"; do
  # Outside any repository, else git leaves the files alone, silently.
  GIT_CEILING_DIRECTORIES=$room git -C "$tree" apply "$PWD/$patch"
  grep -q "Ok(\"$(basename "$patch" | cut -c1)\")" "$tree"/$(sed -n 's|^+++ b/||p' "$patch") || {
    echo "$patch did not apply"
    exit 1
  }
done

# What was built of other people's code is taken over; nothing of ours.
if [[ ! -d $room/debug && -d $target/debug/deps ]]; then
  mkdir "$room/debug"
  for part in deps build .fingerprint; do
    cp -al "$target/debug/$part" "$room/debug/$part"
  done
  rm -rf "$room"/debug/{deps,build,.fingerprint}/{git-keyless,git_keyless,libgit_keyless,main,real}-*
fi

cd "$tree"
export CARGO_TARGET_DIR=$room RUST_BACKTRACE=0
cargo test --quiet --test main --no-run
vectors() { MUTANT=$1 cargo test --quiet --test main vectors:: >"$room/$1.log" 2>&1; }
vectors 0 || { cat "$room/0.log"; echo "the copy fails without a mutant"; exit 1; }
survivors=0
for patch in "${patches[@]}"; do
  step=$(basename "$patch" .patch)
  if vectors "${step:0:1}"; then
    echo "step $step passes always and no vector noticed"
    survivors=$((survivors + 1))
  elif grep -q '^test result: FAILED' "$room/${step:0:1}.log"; then
    echo "killed: $step"
  else
    cat "$room/${step:0:1}.log"
    echo "step $step: the tests did not run"
    exit 1
  fi
done
[[ $survivors == 0 ]]
