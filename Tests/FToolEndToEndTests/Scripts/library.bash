# What the scripts of this folder share. Each starts a program, puts it to work, has it saved, killed and
# brought back at random moments, and asks the program itself whether anything was lost.
#
# FTOOL is the program, SEED decides the moments. The first line that fails ends a script.
set -Eeuo pipefail
shopt -s extglob
trap 'echo "failed at ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2' ERR
RANDOM=$SEED

# Programs are an ordinary user's, also where the tests are run by root, if that user can reach them.
user=()
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups \
  test -r "$FTOOL" -a -x "${PWD%/*}" 2> /dev/null; then
  user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  chown 65534:65534 .
  reachable=''
  IFS=: read -ra folders <<< "$PATH"
  for folder in "${folders[@]}"; do
    ! "${user[@]}" test -r "$folder" -a -x "$folder" || reachable+=:$folder
  done
  PATH=${reachable#:}
fi

# start COMMAND...: as `pid`, in a session of its own, with nothing open but its standard descriptors
start() {
  (
    for number in $(ls /proc/self/fd); do [ "$number" -lt 3 ] || eval "exec $number>&-"; done
    exec setsid "${user[@]}" "$@"
  ) < /dev/null >> output 2>&1 &
  pid=$!
  disown
}

# until_true COMMAND...: waits until it succeeds
until_true() {
  local try
  for ((try = 0; try < 3000; try++)); do
    if "$@" > /dev/null 2>&1; then return; fi
    sleep 0.01
  done
  echo "in vain: $*" >&2
  return 1
}

# a_moment MILLISECONDS: at most that long
a_moment() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }

is_gone() { ! kill -0 "$1"; }

# trip [PID]: saved, killed and brought back
trip() {
  local id=${1:-$pid}
  "$FTOOL" checkpoint save --leave dead -f -o image "$id" > said
  ! kill -0 "$id" 2> /dev/null || until_true is_gone "$id"
  "$FTOOL" checkpoint restore --detach image >> output 2>&1 < /dev/null
}

# ends_with STATUS [PID]: lets it come to its end, which it waits for with a file `end`, after it was brought
# back a last time, in front; and compares how it ends
ends_with() {
  local status=0
  "$FTOOL" checkpoint save --leave dead -f -o image "${2:-$pid}" > said
  : > end
  "$FTOOL" checkpoint restore image >> output 2>&1 < /dev/null || status=$?
  [ "$status" = "$1" ] || { echo "ended with $status" >&2; return 1; }
}

# same WHAT IS SHOULD_BE
same() { [ "$2" = "$3" ] || { echo "$1: '$2' is not '$3'" >&2; return 1; }; }

# get PORT PATH: what an http server answers, without any client's help
get() {
  { exec 3<> "/dev/tcp/127.0.0.1/$1"; } 2> /dev/null || return
  printf 'GET /%s HTTP/1.0\r\n\r\n' "$2" >&3
  sed '1,/^\r$/d' <&3
  exec 3>&-
}

# A port nobody listens on.
free_port() {
  local port
  for ((port = 20000 + (RANDOM + $$) % 20000; ; port++)); do
    if ! (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then echo $port; return; fi
  done
}
