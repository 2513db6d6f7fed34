# redis-server: every key is there, also those of a background save that was under way.
port=$(free_port)
start redis-server --port "$port" --save '' --rdb-key-save-delay 2000
ask() { redis-cli -p "$port" "$@"; }
until_true ask ping
ask config set save '1 1' > output
is_saving() { [ -n "$(cat "/proc/$pid/task/$pid/children")" ]; }
is_saved() { ! is_saving; }
# It saves by itself a second after a change, for a while. A connection that was open when that began is the
# saving child's for as long as it runs, and established connections are not what this is about.
save_alone() {
  while :; do
    until_true is_saving
    [ "$(ls -l "/proc/$(cat "/proc/$pid/task/$pid/children" | tr -d ' ')/fd" | grep -c socket)" != 0 ] || return 0
    until_true is_saved
    ask incr attempts > output
  done
}

for round in 1 2; do
  for ((n = 0; n < 300; n++)); do echo "SET key$round-$n value$round-$n"; done | ask > output
  save_alone
  a_moment 100
  trip
  same "keys" "$(ask eval 'return #redis.call("keys", "key*")' 0)" $((round * 300))
  for ((n = 0; n < 300; n += 7)); do same "a value" "$(ask get "key$round-$n")" "value$round-$n"; done
done
until_true is_saved
same "the last save" "$(ask info persistence | grep -c 'rdb_last_bgsave_status:ok')" 1
ask config set rdb-key-save-delay 0 > output
ask shutdown save
until_true is_gone "$pid"
start redis-server --port "$port" --save ''
until_true ask ping
same "keys in the file" "$(ask eval 'return #redis.call("keys", "key*")' 0)" 600
ask shutdown nosave
until_true is_gone "$pid"
