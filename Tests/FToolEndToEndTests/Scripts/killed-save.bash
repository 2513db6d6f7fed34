# The tool is killed with SIGNAL as it is about to make its n-th system call, while it saves: the program runs on
# unharmed (though by SIGKILL a sleep may end early, as by a signal), and at most a file with a name like .image.*.tmp is left, by SIGKILL only.
#
# WITNESS: what it is told beside. ROUNDS: how many n are tried of all, by chance; with ROUNDS=all every one.
start ./witness $([ "$SIGNAL" != 9 ] || echo wakeful) ${WITNESS:-}
until_true grep -q ready output
tree=$(echo $pid; cat "/proc/$pid/task/$pid/children")

# In this folder: other tests may have one, too.
witnesses() { local id; for id in $(pgrep -x witness); do [ ! "/proc/$id/cwd" -ef . ] || echo "$id"; done; }
# Nobody stands still, and nobody else is there.
runs_on() {
  local state
  for state in $(sed -sE 's/.*\) (.).*/\1/' /proc/$pid/task/*/stat); do [[ $state == [RSD] ]] || return; done
  [ "$(witnesses)" = "$before" ]
}
before=$(witnesses)

count() { ./killer "$1" 0 9 count "$FTOOL" checkpoint save -f -o image "$pid" > said; cat count; }
for which in all ptrace; do
  calls=$(count $which)
  rm -f image
  if [ "$ROUNDS" = all ]; then numbers=$(seq 1 "$calls"); else
    numbers=$(for ((n = 0; n < ROUNDS; n++)); do echo $((1 + (RANDOM << 15 | RANDOM) % calls)); done)
  fi
  for n in $numbers; do
    status=0
    ./killer $which "$n" "$SIGNAL" count "$FTOOL" checkpoint save -f -o image "$pid" > said 2>&1 || status=$?
    case $status in
      0) "$FTOOL" checkpoint verify image > said ;;
      $((128 + SIGNAL))) ;;
      *) echo "$which $n ended with $status" >&2; cat said >&2; false ;;
    esac
    if ! until_true runs_on; then
      echo "after $which $n: $(ps -L -o pid,ppid,lwp,stat,wchan:20 -p "$(witnesses | paste -sd,)")" >&2
      false
    fi
    left=$(find . -name '.image.*')
    [ -z "$left" ] || [ "$SIGNAL" = 9 ] || { echo "$which $n left $left" >&2; false; }
    rm -f .image.*
    [ $status = 0 ] || [ ! -e image ] || "$FTOOL" checkpoint verify image > said
    rm -f image
  done
done
kill -USR1 "$pid"
until_true is_gone "$pid"
same "what it says" "$(tail -n 1 output)" good
