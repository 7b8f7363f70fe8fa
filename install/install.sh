#!/bin/sh
# Installs git-keyless from a checkout (built with cargo) or from an unpacked release:
#
#   install/install.sh [--prefix DIR] [--debug]
#   install/install.sh [--prefix DIR] --uninstall
#
# DIR is ~/.local without --prefix. What is put where is printed, and written down in DIR/share/git-keyless/installed;
# --uninstall removes exactly that. --debug builds in a minute what is slower to run.
set -eu

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

prefix=${HOME:+$HOME/.local} profile=dist uninstall=
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) [ $# -gt 1 ] || fail '--prefix needs a folder'; prefix=$2; shift ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --debug) profile=dev ;;
    --uninstall) uninstall=yes ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done
case $prefix in
  /*) ;;
  '') fail 'where? --prefix DIR' ;;
  *) prefix=$PWD/$prefix ;;
esac
list=$prefix/share/git-keyless/installed
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
umask 022

# What the list in $list says is in $prefix; a line that leads out of it is not followed.
inside() {
  case /$1/ in
    *//* | */../*)
      echo "install.sh: left alone: $1, which $list names and which is not inside $prefix" >&2
      return 1 ;;
  esac
}

if [ -n "$uninstall" ]; then
  [ -f "$list" ] || fail "nothing is installed in $prefix"
  if [ "$(git config --get gpg.x509.program 2>/dev/null)" = "$prefix/bin/git-keyless" ]; then
    fail "git still uses it, and its commits would fail; first: git keyless setup --undo (or, where set-up did not set
it: git config --global --unset KEY for each of gpg.format, gpg.x509.program, commit.gpgSign and tag.gpgSign)"
  fi
  # Files first, then the folders that were made for them, the innermost first, if nothing else is in them.
  while IFS= read -r line; do
    case $line in
      'file '*)
        file=${line#file }
        ! inside "$file" || { rm -f -- "$prefix/$file" "$prefix/$file.new" && echo "removed $prefix/$file"; } ;;
    esac
  done <"$list"
  folders=$(sed -n 's/^folder //p' "$list" | sort -r)
  rm -f -- "$list"
  echo "$folders" | while IFS= read -r folder; do
    [ -z "$folder" ] || ! inside "$folder" || rmdir -- "$prefix/$folder" 2>/dev/null || true
  done
  exit 0
fi

# The binary: built here, or brought along.
if [ -f "$root/Cargo.toml" ]; then
  command -v cargo >/dev/null || fail 'cargo is missing: https://www.rust-lang.org/tools/install'
  echo "building (profile $profile) ..."
  cargo build --locked --manifest-path "$root/Cargo.toml" --bin git-keyless --profile "$profile"
  binary=$(cargo build --locked --manifest-path "$root/Cargo.toml" --bin git-keyless --profile "$profile" \
    --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*git-keyless[^"]*\)".*/\1/p' | tail -1)
else
  for binary in "$root/git-keyless" "$root/bin/git-keyless"; do [ ! -f "$binary" ] || break; done
fi
[ -n "$binary" ] && [ -f "$binary" ] || fail "there is neither a Cargo.toml nor a git-keyless in $root"
"$binary" --version >/dev/null || fail "$binary does not run on this machine"

# All of it is made aside, then moved into place; what is there and is not ours stays.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/bin" "$work/share/man/man1" "$work/share/man/man7" "$work/share/bash-completion/completions" \
  "$work/share/zsh/site-functions" "$work/share/fish/vendor_completions.d"
cp "$binary" "$work/bin/git-keyless"
chmod 755 "$work/bin/git-keyless"
cp "$root"/man/*.1 "$work/share/man/man1"
cp "$root"/man/*.7 "$work/share/man/man7"
"$binary" completions bash >"$work/share/bash-completion/completions/git-keyless"
"$binary" completions zsh >"$work/share/zsh/site-functions/_git-keyless"
"$binary" completions fish >"$work/share/fish/vendor_completions.d/git-keyless.fish"

files=$(cd "$work" && find . -type f | sed 's|^\./||' | sort)
echo "$files" | while IFS= read -r file; do
  if [ -e "$prefix/$file" ] && ! grep -qxF "file $file" "$list" 2>/dev/null; then
    fail "$prefix/$file is there and was not installed by this; remove it, or name another --prefix"
  fi
done

new=$work/installed
{ grep '^folder ' "$list" 2>/dev/null || true; } >"$new"
folder() {
  [ -d "$prefix/$1" ] && return
  case $1 in */*) folder "${1%/*}" ;; esac
  mkdir -p -- "$prefix/$1"
  echo "folder $1" >>"$new"
}
folder share/git-keyless
echo "$files" >"$work/files"
while IFS= read -r file; do
  folder "${file%/*}"
  echo "file $file" >>"$new"
done <"$work/files"
# What an older version put there and this one does not goes.
sed -n 's/^file //p' "$list" 2>/dev/null | while IFS= read -r file; do
  grep -qxF "$file" "$work/files" || ! inside "$file" || { rm -f -- "$prefix/$file" && echo "removed $prefix/$file"; }
done
# Written down first: an installation that is interrupted can be removed.
cp "$new" "$list.new" && mv -f "$list.new" "$list"
while IFS= read -r file; do
  cp -p "$work/$file" "$prefix/$file.new" && mv -f "$prefix/$file.new" "$prefix/$file"
  echo "installed $prefix/$file"
done <"$work/files"

case :$PATH: in
  *":$prefix/bin:"*) ;;
  *) echo "note: $prefix/bin is not on PATH; git finds git keyless only there" ;;
esac
echo "zsh: fpath needs $prefix/share/zsh/site-functions before compinit"
echo "next: git keyless setup"
