# What can't be saved is refused with a word that says why, and runs on; no file is left.

# refuses STATUS WORDS PID [OPTION...]
refuses() {
  local status=0
  "$FTOOL" checkpoint save -f -o image "${@:3}" > said 2>&1 || status=$?
  same "the status" $status "$1"
  grep -q -- "$2" said || { cat said >&2; return 1; }
  same "files" "$(ls -A | grep image || true)" ""
}

# One that somebody else traces.
./killer all 0 9 count bash -c 'echo "$$" > traced; until [ -e end ]; do :; done' &
tracer=$!
until_true test -s traced
refuses 75 'traced' "$(cat traced)"
: > end
wait $tracer

# One that waits in vfork(2) for its child, which takes its time.
waits() { grep -q 'State:.*D' "/proc/$pid/status"; }
start ./patient 4
until_true waits
refuses 1 'waits in vfork(2)' "$pid"
refuses 75 'waits in vfork(2)' "$pid" --only --max-freeze 300ms
waits
kill -9 $pid
until_true is_gone "$pid"

# One that does so for a moment.
start ./patient 1
until_true waits
"$FTOOL" checkpoint save -f -o image "$pid" > said 2>&1 || { cat said >&2; false; }
rm image
kill -9 $pid
until_true is_gone "$pid"

# One that goes while it is looked at, or has gone.
begun() { [ "$(cat "/proc/$pid/comm" 2> /dev/null)" != bash ]; }
for ((round = 0; round < 10; round++)); do
  start sleep "0.0$((RANDOM % 6))"
  # Until then it is this shell, with all that this has open.
  until begun; do :; done
  status=0
  "$FTOOL" checkpoint save -f -o image "$pid" > said 2>&1 || status=$?
  [ $status = 0 ] || [ $status = 66 ] || { cat said >&2; false; }
  until_true is_gone "$pid"
  rm -f image
done

# A number that has become somebody else's.
start sleep 100
"$FTOOL" checkpoint save --leave dead -f -o image "$pid" > said
old=$pid
until_true is_gone "$old"
mv image kept
other=''
for ((try = 0; try < 20; try++)); do
  echo $((old - 1)) > /proc/sys/kernel/ns_last_pid 2> /dev/null || break
  sleep 100 &
  other=$!
  [ "$other" != "$old" ] || break
  kill $other
done
if [ "$other" = "$old" ]; then
  status=0
  "$FTOOL" checkpoint restore --detach kept > said 2>&1 || status=$?
  same "the status" $status 75
  grep -q "the number $old belongs to another process" said
  kill $other
fi
