#!/bin/sh
# hold.sh TOP BASE BASE_NO_CT   start a stack in TOP/ct and one without CT log in TOP/no-ct, say "up" on stdout, and
# keep them until stdin closes, whatever the reason; then stop both and remove TOP. The tests hold the other
# end of stdin: when they end, are killed or crash, the kernel closes it, also while the stacks are still starting.
# RS_KEEP=1 leaves TOP (with its logs) behind.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=$1
trap : HUP INT TERM PIPE
end() {
    "$HERE/stop.sh" "$TOP/ct" & "$HERE/stop.sh" "$TOP/no-ct" & wait
    [ -n "${RS_KEEP:-}" ] || rm -rf "$TOP"
}
"$HERE/start.sh" "$TOP/ct" "$2" > "$TOP/ct.out" 2>&1 < /dev/null & ONE=$!
RS_NO_CT=1 "$HERE/start.sh" "$TOP/no-ct" "$3" > "$TOP/no-ct.out" 2>&1 < /dev/null & TWO=$!
FAILED=
wait $ONE || FAILED=1
wait $TWO || FAILED=1
if [ -n "$FAILED" ]; then
    cat "$TOP/ct.out" "$TOP/no-ct.out" >&2
    end > /dev/null 2>&1
    exit 1
fi
echo up
exec 1> /dev/null 2>&1
cat > /dev/null
end
