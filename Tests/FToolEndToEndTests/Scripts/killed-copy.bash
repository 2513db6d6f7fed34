# A save is killed at one call of ptrace(2) after the other, and leaves at some of them an ended process in the
# program that it copies. Such a one is part of no image, and is taken away by the next save that makes a copy.
#
# ROUNDS: at every call with ROUNDS=all, else at some sixty of them.
start ./witness wakeful alone
until_true grep -q ready output
descendants() {
  local id count=0
  for id in $(cat "/proc/${1:-$pid}/task/"*/children 2> /dev/null); do count=$((count + 1 + $(descendants "$id"))); done
  echo $count
}
before=$(descendants)

./killer ptrace 0 9 count "$FTOOL" checkpoint save -f -o image "$pid" > said
grep -q "^saved process $pid and $before of its descendants" said
calls=$(cat count)
seen=0
step=1
[ "$ROUNDS" = all ] || step=$((calls / 60 + 1))
for ((n = 1 + RANDOM % step; n <= calls; n += step)); do
  ./killer ptrace $n 9 count "$FTOOL" checkpoint save -f -o image "$pid" > said 2>&1 || true
  rm -f .image.*
  [ "$(descendants)" != "$before" ] || continue
  seen=$((seen + 1))
  # A save without a copy leaves the first where it is.
  if [ $seen = 1 ]; then
    "$FTOOL" checkpoint save -f -o image --leave stopped "$pid" > said
    same "what is saved without a copy" "$(grep -o 'and [0-9]* of' said)" "and $before of"
    eval "$(sed "s/.*'\(kill -CONT [0-9 ]*\)'.*/\1/" said)"
  fi
  "$FTOOL" checkpoint save -f -o image "$pid" > said
  same "what is saved after $n" "$(grep -o 'and [0-9]* of' said)" "and $before of"
  same "what is left after $n" "$(descendants)" "$before"
done
[ $seen -gt 0 ]
kill -USR1 "$pid"
until_true is_gone "$pid"
same "what it says" "$(tail -n 1 output)" good
