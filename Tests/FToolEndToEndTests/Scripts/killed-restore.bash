# The tool is killed with SIGNAL as it is about to make its n-th system call, while it restores: all of the tree
# runs, or none of it is there; and the next attempt succeeds.
start ./witness
until_true grep -q ready output
tree=$(echo "$pid" $(cat "/proc/$pid/task/$pid/children"))
"$FTOOL" checkpoint save --leave dead -f -o image "$pid" > said

none() { local id; for id in $tree; do ! kill -0 "$id" 2> /dev/null || return; done; }
runs() {
  local id state
  for id in $tree; do
    for state in $(sed -sE 's/.*\) (.).*/\1/' "/proc/$id/task/"*/stat || echo gone); do
      [[ $state == [RSD] ]] || return
    done
  done
}
settled() { none || runs; }
until_true none

count() { ./killer "$1" 0 9 count "$FTOOL" checkpoint restore --detach image > said; cat count; }
for which in all ptrace; do
  calls=$(count $which)
  kill -KILL $tree
  until_true none
  if [ "$ROUNDS" = all ]; then numbers=$(seq 1 "$calls"); else
    numbers=$(echo 1 2; for ((n = 0; n < ROUNDS; n++)); do echo $((1 + (RANDOM << 15 | RANDOM) % calls)); done)
  fi
  for n in $numbers; do
    for _ in 1 2 3; do
      status=0
      ./killer $which "$n" "$SIGNAL" count "$FTOOL" checkpoint restore --detach image > said 2>&1 || status=$?
      # On a busy machine a number may be somebody else's for a while.
      taken=$(sed -n 's/.*the number \([0-9]*\) belongs to another process now.*/\1/p' said)
      if [ -z "$taken" ] || grep -qE 'witness|ftool' "/proc/$taken/comm" 2> /dev/null; then break; fi
      until_true test ! -e "/proc/$taken"
    done
    [ $status = 0 ] || [ $status = $((128 + SIGNAL)) ] ||
      { echo "$which $n ended with $status" >&2; cat said >&2; false; }
    if ! until_true settled; then echo "after $which $n: $(ps -o pid,stat,args -p "${tree// /,}")" >&2; false; fi
    kill -KILL $tree 2> /dev/null || true
    until_true none
  done
done
(until_true runs; kill -USR1 "$pid") &
ends_with_status=0
"$FTOOL" checkpoint restore image >> output 2>&1 < /dev/null || ends_with_status=$?
same "its status" $ends_with_status 42
same "what it says" "$(grep -c '^good$' output)" 1
