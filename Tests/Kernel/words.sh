# What run.sh's steps are made of: the state of each case, ftool and what it must do, what is written, boots.

declare -A level layout metadata bitmap chunk sums sizes lost kind options limit settler joining bad complete
names=()
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok   $(title "$1") $2"; }
fail() {  # NAME WHAT [DETAIL]: the case goes no further
  failed=$((failed + 1)) bad[$1]=1
  echo "FAIL $(title "$1") $2"
  [ -z "${3:-}" ] || sed 's/^/  /' <<<"$3"
}
title() { echo "${level[$1]} ${metadata[$1]} ${layout[$1]} ($1):"; }
alive() { [ -z "${bad[$1]:-}" ]; }
members() { local i=0; for _ in ${sizes[$1]//,/ }; do echo "m$i"; i=$((i + 1)); done; }
paths() { local m; for m in $(members "$1"); do echo "$shared/$1/$m"; done; }
is_lost() { case " ${lost[$1]} " in *" ${2#m} "*) return 0 ;; esac; return 1; }
left_members() { local m; for m in $(members "$1"); do is_lost "$1" "$m" || echo "$m"; done; }
left_paths() { local m; for m in $(left_members "$1"); do echo "$shared/$1/$m"; done; }
# Of the arrays whose members change: those it begins with, the last of them the spare; the one that comes.
first_paths() { if [ -n "${joining[$1]:-}" ]; then paths "$1" | head -n -"${joining[$1]}"; elif [ "${kind[$1]}" = moved ] || [ "$1" = grown-members ]; then paths "$1" | sed '$d'; else paths "$1"; fi; }
# Those that come when it is given another shape, as ftool takes them.
added() { paths "$1" | tail -n "${joining[$1]}" | sed 's/^/--add /'; }
newest() { paths "$1" | tail -1; }
# The members that an array has whose rebuild or replacement ftool has ended.
left_when_ended() { case $1 in raid5-3-rebuilding | raid5-3-replacing) echo m0 m2 m3 ;; raid5-3-failed) echo m0 m1 m2 ;; *) echo m0 m1 ;; esac; }
redundant() { case ${level[$1]} in linear | 0) return 1 ;; esac; }
of_kind() { local name; for name in ${names[@]+"${names[@]}"}; do [ "${kind[$name]}" = "$1" ] && alive "$name" && echo "$name"; done; }
hash_of() { sha256sum | cut -d' ' -f1; }
expected() { echo "$work/expected/$1"; }
expected_hash() { hash_of <"$(expected "$1")"; }

# ftool, with what it said kept for a failure's report.
ran=
ftool() {
  ran="\$ ftool raid $*"
  timeout 120 "$FTOOL" raid "$@" >"$work/stdout" 2>"$work/stderr"
}
report() { echo "$ran"; head -c 2000 "$work/stdout" | tr -cd '[:print:]\n' | head -20; head -20 "$work/stderr"; }
# STATUS WANTED...: one of the wanted exit codes?
among() { local status=$1; shift; case " $* " in *" $status "*) return 0 ;; esac; return 1; }
expect() {  # NAME WHAT STATUSES VERB...: ends with one of the statuses
  local name=$1 what=$2 statuses=$3 status
  shift 3
  alive "$name" || return 1
  ftool "$@"
  status=$?
  if among $status $statuses; then ok "$name" "$what"; else fail "$name" "$what: exit $status" "$(report)"; return 1; fi
}
reads() {  # NAME WHAT MEMBER...: what ftool reads is what was written
  local name=$1 what=$2 status hash
  shift 2
  alive "$name" || return 1
  ran="\$ ftool raid read $*"
  : >"$work/stdout"
  hash=$(timeout 120 "$FTOOL" raid read "$@" 2>"$work/stderr" | hash_of; exit "${PIPESTATUS[0]}")
  status=$?
  [ $status = 0 ] || { fail "$name" "$what: exit $status" "$(report)"; return 1; }
  [ "$hash" = "$(expected_hash "$name")" ] || { fail "$name" "$what: the content is wrong" "$(report)"; return 1; }
  ok "$name" "$what"
}
sums_are() {  # NAME WORD MEMBER...: what status says of the sums
  local name=$1 word=$2
  shift 2
  alive "$name" || return 1
  [ "${sums[$name]}" = crc32c ] || return 0
  ftool status "$@"
  if grep -i 'sums' "$work/stdout" | grep -qi "$word"; then ok "$name" "status: sums $word"
  else fail "$name" "status: sums are not $word" "$(report)"; fi
}
examined() {  # NAME WHAT: mdadm and ftool say the same of every member
  local text
  alive "$1" || return 1
  if text=$("$here/examine.sh" $(paths "$1")); then ok "$1" "examine agrees with mdadm$2"
  else failed=$((failed + 1)); echo "FAIL $(title "$1") examine$2"; sed 's/^/  /' <<<"$text"; fi
}

# What is written: pieces of a ring of noise, the same at every run.
pool=$shared/pool
seq 1 30000000 | gzip -1 | head -c 67108864 >"$pool"
plan_writes() {  # NAME STEP BYTES: some ranges, unaligned, over chunk and stripe borders; "offset length skip"
  local size=$3 i offset length
  RANDOM=$(($2 * 1000 + size / 4096 % 999))
  for i in 1 2 3 4 5 6; do
    length=$(((RANDOM * 32768 + RANDOM) % (size / 8) + 1))
    [ $i -gt 3 ] && length=$((length % 9000 + 1))
    offset=$(((RANDOM * 32768 + RANDOM) % (size - length)))
    echo "$offset $length $(((RANDOM * 32768 + RANDOM) % 16000000))"
  done >"$shared/$1/writes.$2"
}
piece() { dd if="$pool" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$1" status=none; }  # LENGTH SKIP
expect_writes() {  # NAME STEP: notes what the array then holds
  local offset length skip
  while read -r offset length skip; do
    piece "$length" "$skip" | dd of="$(expected "$1")" bs=1M oflag=seek_bytes seek="$offset" conv=notrunc iflag=fullblock status=none
  done <"$shared/$1/writes.$2"
}
ftool_writes() {  # NAME STEP WHAT MEMBER...
  local name=$1 step=$2 what=$3 offset length skip status
  shift 3
  alive "$name" || return 1
  plan_writes "$name" "$step" "$(stat -c %s "$(expected "$name")")"
  while read -r offset length skip; do
    ran="\$ ftool raid write $* --offset $offset  (of $length bytes)"
    piece "$length" "$skip" | timeout 120 "$FTOOL" raid write "$@" --offset "$offset" >"$work/stdout" 2>"$work/stderr"
    status=${PIPESTATUS[1]}
    [ "$status" = 0 ] || { fail "$name" "$what: exit $status" "$(report)"; return 1; }
  done <"$shared/$name/writes.$step"
  expect_writes "$name" "$step"
  ok "$name" "$what"
}
# The members that have a slot in the new shape: those whose slots are no more are spares.
in_slots() { case $1 in reshaped-6-to-5 | reshaped-6-fewer*) members "$1" | sed '$d' ;; *) members "$1" ;; esac; }
ftool_begins_reshape() { # NAME: and is stopped in the middle of it
  local name=$1 status reshaper
  ran="\$ ftool raid grow --rate 8M ${options[$name]}"
  "$FTOOL" raid grow $(first_paths "$name") $(added "$name") ${options[$name]} --rate 8M >"$work/stdout" 2>"$work/stderr" &
  reshaper=$!
  sleep 2
  kill -TERM $reshaper
  wait $reshaper
  status=$?
  if [ $status = 143 ]; then ok "$name" "ftool's reshape is interrupted"; else fail "$name" "an interrupted reshape: exit $status" "$(report)"; return 1; fi
  ftool status $(paths "$name")
  grep -q 'reshape was interrupted' "$work/stdout" || { fail "$name" "status does not tell of the reshape" "$(report)"; return 1; }
  # In both shapes at once.
  "$FTOOL" raid read $(paths "$name") 2>"$work/stderr" | cmp -s -n "$(stat -c %s "$(expected "$name")")" - "$(expected "$name")" || { fail "$name" "half reshaped, it reads otherwise" "$(report)"; return 1; }
  ok "$name" "ftool reads it half reshaped"
}
tear() {  # NAME MEMBER OFFSET: other bytes in the member's block of the stripe that has an array offset
  local name=$1 member=$shared/$1/$2 data columns count at
  data=$("$FTOOL" raid examine "$member" --json 2>"$work/stderr" | tr ',{' '\n\n' | sed -n 's/.*"data_offset"[^0-9]*\([0-9]*\).*/\1/p' | head -1)
  [ -n "$data" ] || { fail "$name" "no data offset"; return 1; }
  count=$(members "$name" | wc -l)
  case ${level[$name]} in 1) columns=1 ;; 5) columns=$((count - 1)) ;; 6) columns=$((count - 2)) ;; *) columns=$((count / 2)) ;; esac
  if [ "${level[$name]}" = 1 ]; then at=$3; else at=$(($3 / (columns * 524288) * 524288 + $3 % 524288)); fi
  at=$((at / 4096 * 4096))
  head -c 4096 "$pool" | dd of="$member" bs=4096 oflag=seek_bytes seek=$((data + at)) conv=notrunc status=none
}
kernel_will_write() { plan_writes "$1" "$2" "$(stat -c %s "$(expected "$1")")"; expect_writes "$1" "$2"; }

boot() {  # NAME-OF-THE-BOOT: runs the plan $work/plan, passes on what it found
  local line word name what status
  { cat "$here/guest.sh" "$work/plan"; echo finish; } >"$work/script"
  "$here/vm.sh" -d "$shared" -t 600 -l "$work/console.$1" "$work/script" >"$work/$1" 2>&1
  status=$?
  while IFS= read -r line; do
    word=${line%% *}
    case $word in
      ok) name=${line#ok }; what=${name#* } name=${name%% *}; ok "$name" "$what" ;;
      FAIL) name=${line#FAIL }; what=${name#* } name=${name%% *}; fail "$name" "$what" ;;
      done) complete[$1,${line#done }]=1 ;;
      *) echo "  ${line#  }" ;;
    esac
  done <"$work/$1"
  for name in $(grep '^array ' "$work/plan" | cut -d' ' -f2); do
    [ -n "${complete[$1,$name]:-}" ] || fail "$name" "boot $1 ended before it was done (exit $status)" "$(tail -5 "$work/console.$1")"
  done
}
plan() { echo "$*" >>"$work/plan"; }
new_plan() { : >"$work/plan"; }
make_files() { local i=0 size; mkdir -p "$shared/$1"; for size in ${sizes[$1]//,/ }; do truncate -s "${size}M" "$shared/$1/m$i"; i=$((i + 1)); done; }

