#!/bin/bash
# Arrays of ours in the hands of a real Linux md and mdadm, and theirs in ours.
#
#   run.sh [-k] [PATTERN]     the cases whose name has PATTERN in it (a grep -E expression)
#
# The kernel runs as an ordinary program (vm.sh): no root, nothing installed. Each case is one array that
# goes to and fro: ftool makes and writes it, the kernel must take it clean, read the same and write, ftool
# must see that and write again, and so on through the loss of members. cases.sh has the arrays, words.sh what
# the steps are made of, guest.sh the steps inside the machine. All cases share a boot of each kind.
# Prints a line for everything that was looked at, and at the end "N passed, N failed".
# Exit 0: all passed, or skipped with the reason; 1: something failed. -k keeps the folder. FTOOL: the program.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export FTOOL=${FTOOL:-$here/../../.build/release/ftool} LC_ALL=C TZ=UTC
keep=0
[ "${1:-}" = -k ] && { keep=1; shift; }
pattern=${1:-.}

cache=$("$here/setup.sh") || { status=$?; [ $status = 77 ] && exit 0; exit $status; }
FTOOL=$(realpath -m "$FTOOL")
[ -x "$FTOOL" ] || { echo "no $FTOOL: build it first (swift build -c release)" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/check-kernel.XXXXXX")
[ $keep = 1 ] && echo "in $work"
trap '[ $keep = 1 ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_STATE_HOME=$work/state  # what the runs note down stays in here
shared=$work/shared
mkdir "$shared" "$work/expected"

. "$here/words.sh"
. "$here/cases.sh"

# ---- 1: ftool makes and writes them -----------------------------------------------------------------
for name in $(of_kind ours) $(of_kind watched) $(of_kind killed) $(of_kind journaled) $(of_kind dirtied) $(of_kind moved) $(of_kind away) $(of_kind grown) $(of_kind ec) \
  $(of_kind reshaped) $(of_kind halfway) $(of_kind handed); do
  make_files "$name"
  arguments=(create "$name" $(first_paths "$name") --level "${level[$name]}" --metadata "${metadata[$name]}" --sums "${sums[$name]}" --yes)
  case ${layout[$name]} in - | default) ;; *) arguments+=(--layout "${layout[$name]}") ;; esac
  case ${chunk[$name]:--} in -) ;; *) arguments+=(--chunk "${chunk[$name]}") ;; esac
  [ "${bitmap[$name]:-none}" = none ] || arguments+=(--bitmap internal)
  [ "${kind[$name]}" = moved ] && arguments+=(--spares 1)
  [ "${kind[$name]}" = killed ] && arguments+=(--journal none)
  [ -z "${limit[$name]:-}" ] || arguments+=(--size "${limit[$name]}")
  expect "$name" "ftool creates it" 0 "${arguments[@]}" || continue
  case ${kind[$name]} in killed | journaled) continue ;; esac
  size=$("$FTOOL" raid read $(first_paths "$name") 2>"$work/stderr" | wc -c)
  ran="\$ ftool raid read"
  [ "$size" -gt 1000000 ] || { fail "$name" "reads $size bytes" "$(report)"; continue; }
  piece "$size" 12345 >"$(expected "$name")"
  expect "$name" "ftool writes all of it" 0 write $(first_paths "$name") -i "$(expected "$name")"
  reads "$name" "ftool reads it" $(first_paths "$name")
  case ${kind[$name]} in
    ec) ;;
    away | grown | handed) ;;
    reshaped)
      case $name in *-larger) truncate -s 24M $(paths "$name") ;; esac
      expect "$name" "ftool gives it another shape" 0 grow $(first_paths "$name") $(added "$name") ${options[$name]} ;;
    halfway) ftool_begins_reshape "$name" ;;
    moved) expect "$name" "ftool replaces m1" 0 replace $(first_paths "$name") --member "$shared/$name/m1" --onto "$(newest "$name")" ;;
    *) examined "$name" "" ;;
  esac
done

# ---- 2: the kernel takes them over ------------------------------------------------------------------
new_plan
for name in $(of_kind ours); do
  hash=$(expected_hash "$name")
  kernel_will_write "$name" 2
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$hash"
  plan check
  plan write 2
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind watched); do
  plan array "$name"
  plan read_only $(members "$name")
  plan content "$(expected_hash "$name")"
  plan leave
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan leave
done
for name in $(of_kind foreign); do
  make_files "$name"
  plan array "$name"
  plan create "$(members "$name" | wc -l)" --metadata="${metadata[$name]}" "${options[$name]}"
  plan 'head -c $(($(cat /sys/block/md0/size) * 512)) /host/pool >/dev/md0; sync'
  plan 'echo $(($(cat /sys/block/md0/size) * 512)) >/host/$name/size'
  plan check
  plan leave
done
for name in $(of_kind dirtied); do
  kernel_will_write "$name" 2
  mkdir "$shared/$name/dirty"
  plan array "$name"
  plan assemble $(members "$name")
  plan write_unclean 2 $(members "$name")
  plan content "$(expected_hash "$name")"
  plan leave
done
for name in $(of_kind moved); do
  # m1 has left; the last but one is the spare.
  others=$(members "$name" | sed '/^m1$/d')
  spare=$(members "$name" | tail -2 | head -1)
  plan array "$name"
  plan assemble $(grep -vx "$spare" <<<"$others")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
  plan assemble_with -- $others
  plan expect "'the kernel drops m0'" mdadm /dev/md0 --fail "\$(loop_of m0)" --remove "\$(loop_of m0)"
  plan recovered "'the kernel takes the spare'"
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind grown); do
  plan array "$name"
  plan assemble $(first_paths "$name" | sed 's|.*/||')
  [ $name = grown-members ] && plan attach m3 && plan expect "'mdadm adds a member'" mdadm /dev/md0 --add "\$(loop_of m3)"
  plan expect "'mdadm grows it'" mdadm --grow /dev/md0 "${options[$name]}"
  plan recovered "'and is done'"
  plan 'dd if=/dev/md0 of=/host/$name/content bs=1M 2>/dev/null'
  plan leave
done
for name in $(of_kind reshaped); do
  # What it held it still holds, as far as it still is; what has come is empty.
  "$FTOOL" raid read $(paths "$name") 2>"$work/stderr" >"$work/shape" || { fail "$name" "cannot be read" "$(report)"; continue; }
  length=$(stat -c %s "$(expected "$name")")
  [ "$(stat -c %s "$work/shape")" -ge "$length" ] || length=$(stat -c %s "$work/shape")
  if cmp -s -n "$length" "$(expected "$name")" "$work/shape"; then ok "$name" "ftool kept the content"
  else fail "$name" "other content in another shape"; continue; fi
  mv "$work/shape" "$(expected "$name")"
  expect "$name" "ftool finds no fault in another shape" 0 scrub $(paths "$name")
  sums_are "$name" valid $(paths "$name")
  plan array "$name"
  plan assemble $(in_slots "$name")
  plan content "$(expected_hash "$name")"
  plan check
  kernel_will_write "$name" 2
  plan write 2
  plan content "$(expected_hash "$name")"
  plan leave
done
for name in $(of_kind halfway); do
  plan array "$name"
  plan assemble_with -- $(members "$name")
  plan recovered "'the kernel ends what ftool began'"
  # With a bitmap, an md that did not begin it leaves the copies of what a RAID 10 has won as they are: it has the bits
  # of the old size only, and takes the rest for clean. So it is of a reshape of its own that was stopped.
  case $name in halfway-10-add | halfway-10-offset) plan repair ;; esac
  plan 'dd if=/dev/md0 of=/host/$name/content bs=1M 2>/dev/null'
  plan check
  plan leave
done
for name in $(of_kind handed); do
  plan array "$name"
  plan assemble $(first_paths "$name" | sed 's|.*/||')
  plan begin_reshape $(members "$name" | tail -1) $(members "$name" | wc -l)
  plan leave
done
for name in $(of_kind ec); do
  for member in $(paths "$name"); do sha256sum "$member"; done >"$work/ec.before"
  plan array "$name"
  plan refused $(members "$name")
done
boot takeover

# ---- 3: ftool sees what was done, and writes again --------------------------------------------------
for name in $(of_kind ours); do
  if redundant "$name"; then
    sums_are "$name" stale $(paths "$name")
    reads "$name" "ftool reads what the kernel wrote" $(paths "$name")
    expect "$name" "ftool scrubs and renews the sums" "0 1" scrub $(paths "$name")
    sums_are "$name" valid $(paths "$name")
  elif [ "${sums[$name]}" = none ]; then
    reads "$name" "ftool reads what the kernel wrote" $(paths "$name")
  else
    # No trace tells that the kernel wrote: the mismatch may be damage as well, and has to be said.
    if ftool read $(paths "$name"); then fail "$name" "a foreign write under sums goes unnoticed" "$(report)"
    elif grep -qi 'someone else\|somebody else' "$work/stderr"; then ok "$name" "ftool says: damaged or written by someone else"
    else fail "$name" "does not say who may have written" "$(report)"; fi
    bad[$name]=1
    continue
  fi
  ftool_writes "$name" 3 "ftool writes after the kernel" $(paths "$name")
  reads "$name" "ftool reads it again" $(paths "$name")
  expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
  examined "$name" " after both wrote"
done
for name in $(of_kind reshaped); do
  sums_are "$name" stale $(paths "$name")
  reads "$name" "ftool reads what the kernel wrote" $(paths "$name")
  expect "$name" "ftool scrubs and renews the sums" "0 1" scrub $(paths "$name")
  ftool_writes "$name" 3 "ftool writes after the kernel" $(paths "$name")
  reads "$name" "ftool reads it again" $(paths "$name")
  examined "$name" " after both wrote"
done
for name in $(of_kind halfway) $(of_kind handed); do
  if [ "${kind[$name]}" = handed ]; then
    ftool status $(paths "$name")
    grep -q 'reshape was interrupted' "$work/stdout" || { fail "$name" "status does not tell of the reshape" "$(report)"; continue; }
    expect "$name" "ftool ends what the kernel began" 0 grow $(paths "$name")
    "$FTOOL" raid read $(paths "$name") 2>"$work/stderr" >"$shared/$name/content"
  fi
  if cmp -s -n "$(stat -c %s "$(expected "$name")")" "$(expected "$name")" "$shared/$name/content"; then ok "$name" "the content is kept"
  else fail "$name" "other content in another shape"; continue; fi
  mv "$shared/$name/content" "$(expected "$name")"
  reads "$name" "ftool reads it in its new shape" $(paths "$name")
  expect "$name" "ftool scrubs and renews the sums" "0 1" scrub $(paths "$name")
  expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
  ftool_writes "$name" 3 "ftool writes it" $(paths "$name")
  examined "$name" " in its new shape"
done
for name in $(of_kind watched); do
  sums_are "$name" valid $(paths "$name")
  reads "$name" "ftool reads it" $(paths "$name")
done
for name in $(of_kind ec); do
  if sha256sum --quiet -c "$work/ec.before" >"$work/stdout" 2>&1; then ok "$name" "mdadm changed nothing"
  else fail "$name" "mdadm changed the members" "$(cat "$work/stdout")"; fi
  reads "$name" "ftool reads it" $(paths "$name")
done
for name in $(of_kind foreign); do
  [ -s "$shared/$name/size" ] || { fail "$name" "no size"; continue; }
  piece "$(cat "$shared/$name/size")" 0 >"$(expected "$name")"
  reads "$name" "ftool reads an array of mdadm's" $(paths "$name")
  examined "$name" ""
  ftool_writes "$name" 3 "ftool writes an array of mdadm's" $(paths "$name")
  reads "$name" "ftool reads it again" $(paths "$name")
  redundant "$name" && expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
  examined "$name" " after ftool wrote"
done
for name in $(of_kind dirtied); do
  mv "$shared/$name"/dirty/m* "$shared/$name/"
  # As if the power had failed between two members: a block of the first has not arrived.
  offset=$(head -1 "$shared/$name/writes.2" | cut -d' ' -f1)
  tear "$name" m0 "$offset" || continue
  expect "$name" "status --test says that it is not all right" "2 4" status --test $(paths "$name")
  ran="\$ ftool raid read"
  "$FTOOL" raid read $(paths "$name") 2>"$work/stderr" >"$work/unclean" || { fail "$name" "cannot be read" "$(report)"; continue; }
  wrong=$(cmp -l "$work/unclean" "$(expected "$name")" | wc -l)
  if [ "$wrong" -le 4096 ]; then ok "$name" "ftool reads it unclean"; else fail "$name" "$wrong bytes are wrong" "$(report)"; continue; fi
  cp "$work/unclean" "$(expected "$name")"
  ftool_writes "$name" 3 "ftool writes it unclean" $(paths "$name")
  if [ "${settler[$name]}" = ftool ]; then
    expect "$name" "ftool settles what is in doubt" "0 1" scrub $(paths "$name")
    expect "$name" "status --test says healthy" 0 status --test $(paths "$name")
    expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
    # What stands is one of the two contents of the torn block.
    "$FTOOL" raid read $(paths "$name") 2>"$work/stderr" >"$work/settled"
    wrong=$(cmp -l "$work/settled" "$(expected "$name")" | wc -l)
    if [ "$wrong" -le 4096 ]; then ok "$name" "and changes nothing else"; else fail "$name" "settling changed $wrong bytes"; continue; fi
    cp "$work/settled" "$(expected "$name")"
  fi
done
for name in $(of_kind moved); do
  here_now=$(paths "$name" | sed '/\/m[01]$/d')
  last=$(newest "$name")
  expect "$name" "ftool takes the replaced member for none" 66 read $(paths "$name")
  reads "$name" "ftool reads it, a stale member beside the others" $(paths "$name" | sed '/\/m1$/d')
  expect "$name" "status --test says healthy" 0 status --test $here_now
  expect "$name" "ftool scrubs and renews the sums" "0 1" scrub $here_now
  sums_are "$name" valid $here_now
  expect "$name" "ftool fails a member" 0 fail $here_now --member "$last"
  expect "$name" "status --test says degraded" 2 status --test $here_now
  expect "$name" "ftool removes it" 0 remove $here_now --member "$last"
  others=$(grep -vx "$last" <<<"$here_now")
  ftool_writes "$name" 3 "ftool writes degraded" $others
  expect "$name" "ftool adds another one" 0 add $others --new "$shared/$name/m1" --force
  alive "$name" || continue
  ran="\$ ftool raid rebuild --rate 2M"
  "$FTOOL" raid rebuild $others "$shared/$name/m1" --rate 2M >"$work/stdout" 2>"$work/stderr" &
  rebuilder=$!
  sleep 2
  kill -TERM $rebuilder
  wait $rebuilder
  status=$?
  if [ $status = 143 ]; then ok "$name" "ftool's rebuild is interrupted"; else fail "$name" "an interrupted rebuild: exit $status" "$(report)"; continue; fi
  reads "$name" "ftool reads it half rebuilt" $others "$shared/$name/m1"
  ftool_writes "$name" 4 "ftool writes it half rebuilt" $others "$shared/$name/m1"
  if [ "${settler[$name]}" = ftool ]; then
    expect "$name" "ftool goes on" 0 rebuild $others "$shared/$name/m1"
    expect "$name" "ftool finds no fault" 0 scrub $others "$shared/$name/m1"
  fi
done
for name in $(of_kind away); do
  ftool_writes "$name" 3 "ftool writes without m1" --degraded $(paths "$name" | sed '/m1$/d')
done
for name in $(of_kind grown); do
  # What it held it still holds; what came with the size is what the kernel saw there.
  if cmp -s -n "$(stat -c %s "$(expected "$name")")" "$(expected "$name")" "$shared/$name/content"; then ok "$name" "the kernel kept the content"
  else fail "$name" "the kernel has other content"; continue; fi
  mv "$shared/$name/content" "$(expected "$name")"
  reads "$name" "ftool reads it" $(paths "$name")
  reads "$name" "ftool reads it without m0" $(paths "$name" | sed '/m0$/d')
  examined "$name" " after mdadm grew it"
  case $name in
    grown-ppl*)
      expect "$name" "ftool does not write past a partial parity log" 78 write $(paths "$name") -i "$(expected "$name")"
      continue ;;
  esac
  expect "$name" "ftool scrubs it" "0 1" scrub $(paths "$name")
  ftool_writes "$name" 3 "ftool writes it" $(paths "$name")
  reads "$name" "ftool reads it again" $(paths "$name")
  expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
  examined "$name" " after ftool wrote"
done
for name in $(of_kind begun); do
  content=$(awk -v name="$name" '$1 == name { print $3; exit }' "$here/../Golden/expectations.tsv")
  cd "$shared/$name" || exit 1
  expect "$name" "ftool ends what mdadm began" 0 ${options[$name]} --yes
  "$FTOOL" raid read $(left_when_ended "$name") >"$(expected "$name")" 2>"$work/stderr"
  cd "$work" || exit 1
  if [ "$(expected_hash "$name")" = "$content" ]; then ok "$name" "ftool reads it"; else fail "$name" "the content is wrong" "$(report)"; fi
done
for name in $(of_kind killed) $(of_kind journaled); do
  # 12 MiB are on their way when it is killed: no more input comes, so it cannot have ended.
  mkfifo "$work/fifo.$name"
  ran="\$ ftool raid write --offset 40M"
  "$FTOOL" raid write $(paths "$name") --offset 40M <"$work/fifo.$name" >"$work/stdout" 2>"$work/stderr" &
  writer=$!
  exec 8>"$work/fifo.$name"
  piece 12582912 4321 >&8
  sleep 0.5
  kill -9 $writer 2>/dev/null || { fail "$name" "the write ended early" "$(report)"; }
  wait $writer 2>/dev/null
  exec 8>&-
done

# ---- 4: again in the kernel: after ftool's writes, and with members lost ----------------------------
new_plan
for name in $(of_kind ours); do
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
  [ -n "${lost[$name]}" ] || continue
  kernel_will_write "$name" 4
  plan assemble_degraded $(left_members "$name")
  plan write 4
  plan content "$(expected_hash "$name")"
  plan leave
done
for name in $(of_kind foreign); do
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind dirtied); do
  plan array "$name"
  [ "${settler[$name]}" = ftool ] || { plan assemble_dirty $(members "$name"); plan check; plan leave; }
  plan assemble $(members "$name")
  [ "${settler[$name]}" = ftool ] && plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind moved); do
  here_now=$(members "$name" | sed '/^m0$/d; $d')
  plan array "$name"
  if [ "${settler[$name]}" = ftool ]; then
    plan assemble $here_now
  else
    plan assemble_with --run -- $here_now
    plan recovered "'the kernel ends the rebuild'"
  fi
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind away); do
  plan array "$name"
  plan assemble_degraded $(members "$name" | sed '/^m1$/d')
  plan content "$(expected_hash "$name")"
  plan attach m1
  plan expect "'the kernel takes m1 back by the bitmap'" mdadm /dev/md0 --re-add "\$(loop_of m1)"
  plan recovered "'the kernel has rebuilt it'"
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind grown); do
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan check
  case $name in grown-ppl*) plan expect "'mdadm takes the log away'" mdadm --grow /dev/md0 --consistency-policy=resync ;; esac
  plan leave
done
for name in $(of_kind begun); do
  plan array "$name"
  plan assemble $(left_when_ended "$name")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind halfway) $(of_kind handed) $(of_kind reshaped); do
  plan array "$name"
  plan assemble $(in_slots "$name")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind killed); do
  plan array "$name"
  plan assemble_dirty $(members "$name")
  plan check 64
  plan "dd if=/dev/md0 of=/host/$name/torn bs=1M skip=40 count=16 2>/dev/null"
  plan leave
done
for name in $(of_kind journaled); do
  plan array "$name"
  plan refused $(members "$name")
  plan leave
done
boot lossy

# ---- 5: stale members, rebuilding -------------------------------------------------------------------
for name in $(of_kind ours); do
  [ -n "${lost[$name]}" ] || continue
  reads "$name" "ftool does not believe the stale member" $(paths "$name")
  reads "$name" "ftool reads without it" $(left_paths "$name")
  expect "$name" "status --test says degraded" 2 status --test $(paths "$name")
  ftool_writes "$name" 5 "ftool writes degraded" --degraded $(left_paths "$name")
  reads "$name" "ftool reads what it wrote degraded" $(paths "$name")
  for member in ${lost[$name]}; do
    expect "$name" "ftool rebuilds m$member" 0 rebuild $(paths "$name") --member "$shared/$name/m$member" --yes
  done
  reads "$name" "ftool reads it rebuilt" $(paths "$name")
  expect "$name" "status --test says healthy" 0 status --test $(paths "$name")
  expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
  examined "$name" " after rebuilding"
done
for name in $(of_kind grown); do
  case $name in grown-ppl*) ;; *) continue ;; esac
  expect "$name" "ftool scrubs it" "0 1" scrub $(paths "$name")
  ftool_writes "$name" 3 "ftool writes it" $(paths "$name")
  reads "$name" "ftool reads it again" $(paths "$name")
  expect "$name" "ftool finds no fault" 0 scrub $(paths "$name")
done
# What the journal has is in its place when ftool has opened it for writing; the kernel sees that below.
for name in $(of_kind journaled); do
  expect "$name" "ftool reads it as it will be" 0 read $(paths "$name") --offset 40M --length 16M -o "$work/before" || continue
  expect "$name" "ftool opens it, and finds no fault" 0 scrub $(paths "$name")
  expect "$name" "ftool reads it" 0 read $(paths "$name") -o "$(expected "$name")" || continue
  cmp -s "$work/before" <(tail -c +41943041 "$(expected "$name")" | head -c 16777216) && ok "$name" "as it was seen before" || fail "$name" "other content than was read before"
  expect "$name" "status --test says healthy" 0 status --test $(paths "$name")
  examined "$name" " after the journal was put in place"
done
# After the kernel's resync every block is the old one (zeros) or the new one, never a mixture.
for name in $(of_kind killed); do
  truncate -s 16M "$work/old"
  { piece 12582912 4321; head -c 4194304 /dev/zero; } >"$work/new"
  mixed=$(paste -d'|' <(od -An -v -tx8 -w4096 "$shared/$name/torn") <(od -An -v -tx8 -w4096 "$work/old") <(od -An -v -tx8 -w4096 "$work/new") \
    | awk -F'|' '$1 == $3 && $2 != $3 { new++ } $1 != $2 && $1 != $3 { mixed++ } END { print mixed + 0, new + 0 }')
  if [ "${mixed% *}" != 0 ]; then fail "$name" "after the resync ${mixed% *} blocks are neither old nor new"
  elif [ "${mixed#* }" = 0 ]; then fail "$name" "nothing had been written when it was killed"
  else ok "$name" "every block is old or new (${mixed#* } new)"; fi
  expect "$name" "ftool scrubs it" "0 1" scrub $(paths "$name")
  expect "$name" "ftool reads it" 0 read $(paths "$name") --offset 40M --length 16M -o "$work/scrubbed" || continue
  cmp -s "$work/scrubbed" "$shared/$name/torn" && ok "$name" "as the kernel did" || fail "$name" "other content than the kernel read"
  expect "$name" "status --test says healthy" 0 status --test $(paths "$name")
done

# ---- 6: the kernel once more: what ftool rebuilt; then it rebuilds members itself -------------------
new_plan
for name in $(of_kind ours); do
  [ -n "${lost[$name]}" ] || continue
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan check
  member=m${lost[$name]%% *}
  kernel_will_write "$name" 6
  plan expect "'the kernel drops $member'" mdadm /dev/md0 --fail "\$(loop_of $member)" --remove "\$(loop_of $member)"
  plan write 6
  if [ "${bitmap[$name]}" = internal ]; then
    plan expect "'the kernel takes $member back by the bitmap'" mdadm /dev/md0 --re-add "\$(loop_of $member)"
  else
    plan expect "'the kernel takes $member as a new one'" sh -c "'mdadm --zero-superblock \$1 && mdadm /dev/md0 --add \$1'" add "\$(loop_of $member)"
  fi
  plan recovered "'the kernel has rebuilt it'"
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
for name in $(of_kind journaled); do
  plan array "$name"
  plan assemble $(members "$name")
  plan content "$(expected_hash "$name")"
  plan check
  plan leave
done
[ -s "$work/plan" ] && boot rebuilt
for name in $(of_kind ours); do
  [ -n "${lost[$name]}" ] || continue
  reads "$name" "ftool reads what the kernel rebuilt" $(paths "$name")
  expect "$name" "ftool scrubs it" "0 1" scrub $(paths "$name")
  expect "$name" "status --test says healthy" 0 status --test $(paths "$name")
  examined "$name" " after the kernel rebuilt"
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
