# tmux: a shell and an editor in its terminals, which go on as if nobody had been away.
export TERM=xterm SHELL=/bin/sh  # whose user may have none
mux() { tmux -S "$PWD/socket" "$@"; }
printf 'first line\nsecond line\n' > text
chmod 666 text
start tmux -S "$PWD/socket" -f /dev/null -D
until_true test -S socket
mux set-option -g remain-on-exit on
mux new-session -d -s work -x 80 -y 24 "PS1='ready> ' exec sh"
mux new-window -t work:1 "exec vim -N -u NONE -i NONE '$PWD/text'"
screen() { mux capture-pane -p -t "work:$1"; }
# shows WINDOW TEXT
shows() { screen "$1" | grep -qF -- "$2"; }
until_true shows 0 'ready>'
until_true shows 1 'second line'

mux send-keys -t work:0 'n=0; count() { n=$((n + $1)); echo "n is $n"; }' Enter
mux send-keys -t work:1 'Gothird line'  # and stays there, not yet saved
for round in 1 2 3; do
  mux send-keys -t work:0 "count $round" Enter
  mux send-keys -t work:1 " and $round"
  a_moment 100
  trip
  until_true shows 0 "n is $((round * (round + 1) / 2))"
  until_true shows 1 "third line$(seq -f ' and %g' -s '' "$round")"
done
# Job control: the shell has a terminal of its own.
mux send-keys -t work:0 'sleep 100' Enter
is_sleeping() { pgrep -x sleep -s "$(mux display-message -p -t work:0 '#{pane_pid}')"; }
until_true is_sleeping
trip
mux send-keys -t work:0 C-c
mux send-keys -t work:0 'count 10' Enter
until_true shows 0 'n is 16'
mux resize-window -t work:0 -x 100 -y 30
mux send-keys -t work:0 'stty size' Enter
until_true shows 0 '30 100'
mux send-keys -t work:1 Escape ':wq' Enter
until_true grep -q '^third line and 1 and 2 and 3$' text
mux kill-server
until_true is_gone "$pid"
