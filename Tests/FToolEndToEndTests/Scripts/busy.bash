# A program that does WHAT at full speed is saved ROUNDS times and runs on; every fifth time it is killed and
# brought back.
start ./busy "$WHAT"
until_true grep -q ready output
for ((round = 0; round < ROUNDS; round++)); do
  if [ $((round % 5)) = 4 ]; then trip; else "$FTOOL" checkpoint save -f -o image "$pid" > said; fi
  a_moment 20
done
"$FTOOL" checkpoint save --leave dead -f -o image "$pid" > said
: > end
# Who executes itself all the time looks for the file.
[ "$WHAT" = execs ] || (until_true kill -USR1 "$pid") &
status=0
"$FTOOL" checkpoint restore image >> output 2>&1 < /dev/null || status=$?
same "its status" $status 42
same "what it says" "$(grep -cE '^(good|bad)' output)-$(grep -c '^good$' output)" 1-1
