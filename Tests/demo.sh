#!/usr/bin/env bash
# The life of an array in a minute: made over files, filled with a real file system, robbed of a
# member, read all the same, rebuilt, silently damaged, scrubbed, compared. Then a running program: saved,
# killed, brought back.
#
# Shows each command as it runs it. FTOOL is the program.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C

here=$(cd "$(dirname "$0")/.." && pwd)
program=${FTOOL:-$here/.build/release/ftool}
[ -x "$program" ] || { echo "no $program: 'make build' builds it" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/ftool-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
export XDG_STATE_HOME=$work/state
cd "$work"
ftool() { "$program" "$@"; }

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
# run COMMAND: shows it and runs it as it is shown
run() {
  printf '%s$ %s%s\n' "$bold" "$1" "$plain"
  eval "$1"
}
# run_to STATUS COMMAND: the command must end with that status
run_to() {
  local status=0
  printf '%s$ %s%s\n' "$bold" "$2" "$plain"
  eval "$2" || status=$?
  if [ "$status" != "$1" ]; then
    echo "demo: that ended with $status and not with $1" >&2
    exit 1
  fi
}
same() {
  if [ "$1" != "$2" ]; then
    echo "demo: $3 is not what was written" >&2
    exit 1
  fi
  echo "  the same: $1"
}
hash_of() { sha256sum | cut -d ' ' -f 1; }

say "A file system with real files in it: the sources of this program, and some of this machine."
mkdir tree
cp -r "$here/Sources" "$here/man" tree/
if [ -d /usr/share/common-licenses ]; then cp -rL /usr/share/common-licenses tree/; fi
run "truncate -s 64M tree.ext4"
run "mkfs.ext4 -q -d tree tree.ext4"
original=$(hash_of < tree.ext4)

say "An array of four files. Any one of them may be lost."
run "ftool raid create photos a.img b.img c.img d.img --make 32M --level 5"

say "The file system goes onto it, and comes back the same."
run "ftool raid write a.img -i tree.ext4"
run "ftool raid read a.img --length 64M | sha256sum"
same "$(ftool raid read a.img --length 64M | hash_of)" "$original" "the array"

say "A member is destroyed."
run "rm b.img"
run_to 2 "ftool raid status a.img --test"

say "Every byte is still there: what is missing is computed."
run "ftool raid read a.img c.img d.img --length 64M | sha256sum"
same "$(ftool raid read a.img c.img d.img --length 64M 2> /dev/null | hash_of)" "$original" \
  "the array without a member"

say "A new file takes the place of the lost one."
run "truncate -s 32M new.img"
run "ftool raid rebuild a.img c.img d.img --onto new.img"
run_to 0 "ftool raid status a.img --test"

say "Silent corruption: 64 KiB in the middle of a member turn to noise, and no disk says a word."
run "dd if=/dev/urandom of=c.img bs=64K seek=200 count=1 conv=notrunc status=none"

say "A scrub names the member and the blocks, and repairs them. (1: found, and all repaired)"
run_to 1 "ftool raid scrub a.img"
run_to 0 "ftool raid scrub a.img"

say "And what was written is still what is read."
run "ftool raid read a.img --length 64M -o back.ext4"
run "cmp tree.ext4 back.ext4"
same "$(hash_of < back.ext4)" "$original" "the healed array"
run "e2fsck -fn back.ext4"

say "What this machine allows for running programs:"
run "ftool doctor || true"
if ftool doctor > /dev/null; then
  # Adds numbers up for some seconds, and keeps what it does in its memory.
  cat > adder.pl << 'PERL'
$| = 1;
for my $n (1 .. 250) { $sum += $n; print "$n: $sum\n"; select undef, undef, undef, 0.02 }
exit($sum == 31375 ? 42 : 1);
PERL
  # start COMMAND...: in the background, without descriptors that this shell was given by others
  start() {
    (
      for number in $(ls /proc/self/fd); do [ "$number" -lt 3 ] || eval "exec $number>&-"; done
      exec "$@"
    ) < /dev/null > adder.log 2>&1 &
    disown  # without the shell's own word when it is killed
  }

  say "A program of the base system runs: perl, adding up."
  run "start perl adder.pl"
  adder=$!
  sleep 1

  say "Can it be saved? Nothing is changed by asking."
  run "ftool checkpoint check $adder"

  say "A copy is kept while it runs on; the stop in between is too short to notice."
  run "ftool checkpoint save -o early.ftc $adder"
  sleep 0.3
  run "tail -n 1 adder.log"

  say "It is saved, and killed once it is safe."
  run "ftool checkpoint save --leave dead -o adder.ftc $adder"
  while kill -0 "$adder" 2> /dev/null; do sleep 0.02; done
  run "tail -n 1 adder.log"
  run "ls -l adder.ftc"
  run "ftool checkpoint show adder.ftc"

  say "It is brought back from the file, with its number, and goes on where it was: it ends with 42."
  run_to 42 "ftool checkpoint restore adder.ftc"
  run "tail -n 1 adder.log"
  same "$(wc -l < adder.log) lines, $(tail -n 1 adder.log)" "250 lines, 250: 31375" "the sum"
fi

say "Done. All of this was in $work, which is removed now."
