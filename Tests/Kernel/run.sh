#!/bin/bash
# Arrays of ours in the hands of a real Linux md and mdadm, and theirs in ours.
#
#   run.sh [-k] [PATTERN]     the cases whose name has PATTERN in it (a grep -E expression)
#
# The kernel runs as an ordinary program (vm.sh): no root, nothing installed. Each case is one array that
# goes to and fro: ftool makes and writes it, the kernel must take it clean, read the same and write, ftool
# must see that and write again, and so on through the loss of members. All cases share a boot of each kind.
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

# ---- cases ------------------------------------------------------------------------------------------
# name | level | layout | metadata | bitmap | chunk | sums | MiB of each member | members that are lost later
# Every level, every layout that ftool writes, every version; bitmap and chunk are spread over them.
read -r -d '' cases <<'TABLE'
linear            | linear | -                | 1.2 | none     | -    | none   | 8,6,12      |
linear-sums       | linear | -                | 1.1 | none     | -    | crc32c | 8,6,12      |
linear-1.0        | linear | -                | 1.0 | none     | -    | none   | 7,9         |
raid0             | 0      | -                | 1.1 | none     | 64K  | none   | 8,8,8       |
raid0-unequal     | 0      | original         | 1.2 | none     | 64K  | none   | 8,6,12      |
raid0-unequal-1.0 | 0      | alternate        | 1.0 | none     | 4K   | none   | 7,9,6,12    |
raid0-sums        | 0      | -                | 1.2 | none     | 512K | crc32c | 8,6,12      |
raid1             | 1      | -                | 1.0 | none     | -    | crc32c | 8,8         | 1
raid1-3           | 1      | -                | 1.2 | internal | -    | crc32c | 8,8,8       | 0 2
raid1-nosums      | 1      | -                | 1.1 | none     | -    | none   | 8,9         | 0
raid4             | 4      | -                | 1.1 | internal | 64K  | crc32c | 8,8,8       | 2
raid4-4           | 4      | -                | 1.2 | none     | 16K  | crc32c | 6,6,6,6     | 1
raid5-default     | 5      | left-symmetric   | 1.2 | none     | 512K | crc32c | 12,12,12    | 1
raid5-ls          | 5      | left-symmetric   | 1.2 | internal | 64K  | crc32c | 6,6,6,6     | 3
raid5-la          | 5      | left-asymmetric  | 1.0 | none     | 64K  | crc32c | 6,6,6,6     | 0
raid5-rs          | 5      | right-symmetric  | 1.1 | none     | 4K   | crc32c | 6,6,6,6     | 2
raid5-ra          | 5      | right-asymmetric | 1.2 | internal | 16K  | crc32c | 6,6,6,6,6   | 4
raid5-pf          | 5      | parity-first     | 1.0 | internal | 64K  | crc32c | 8,8,8       | 0
raid5-pl          | 5      | parity-last      | 1.1 | internal | 64K  | none   | 8,8,8       | 1
raid6-ls          | 6      | left-symmetric   | 1.2 | none     | 64K  | crc32c | 6,6,6,6,6   | 1 3
raid6-la          | 6      | left-asymmetric  | 1.0 | internal | 16K  | crc32c | 6,6,6,6     | 0 1
raid6-rs          | 6      | right-symmetric  | 1.1 | none     | 64K  | crc32c | 6,6,6,6,6   | 2 4
raid6-ra          | 6      | right-asymmetric | 1.2 | internal | 4K   | none   | 6,6,6,6,6   | 0 3
raid6-pf          | 6      | parity-first     | 1.0 | none     | 64K  | crc32c | 6,6,6,6,6,6 | 4 5
raid6-pl          | 6      | parity-last      | 1.1 | internal | 64K  | crc32c | 6,6,6,6,6   | 3
raid10-n2         | 10     | near=2           | 1.2 | none     | 64K  | crc32c | 6,6,6,6     | 1 2
raid10-n2-odd     | 10     | near=2           | 1.0 | internal | 64K  | crc32c | 6,6,6       | 0
raid10-n3-odd     | 10     | near=3           | 1.1 | none     | 16K  | crc32c | 6,6,6,6,6   | 2 3
raid10-f2-odd     | 10     | far=2            | 1.2 | internal | 64K  | crc32c | 8,8,8       | 1
raid10-f2-5       | 10     | far=2            | 1.1 | none     | 4K   | none   | 6,6,6,6,6   | 0
raid10-f3         | 10     | far=3            | 1.0 | none     | 64K  | crc32c | 8,8,8,8     | 0 1
raid10-o2-odd     | 10     | offset=2         | 1.2 | none     | 64K  | crc32c | 8,8,8       | 2
raid10-o2-5       | 10     | offset=2         | 1.0 | internal | 64K  | crc32c | 6,6,6,6,6   | 4
raid10-o3         | 10     | offset=3         | 1.1 | internal | 16K  | crc32c | 8,8,8,8     | 1 3
TABLE

# Arrays that mdadm makes: name | metadata | MiB of each member | mdadm's options
read -r -d '' foreign_cases <<'TABLE'
mdadm-linear    | 1.2 | 8,6,12    | --level=linear
mdadm-raid0     | 1.1 | 8,6,12    | --level=0 --chunk=64
mdadm-raid1     | 1.0 | 8,8       | --level=1 --bitmap=none
mdadm-raid1-bm  | 1.2 | 8,8,8     | --level=1 --bitmap=internal
mdadm-raid4     | 1.2 | 6,6,6,6   | --level=4 --chunk=64
mdadm-raid5     | 1.2 | 12,12,12  | --level=5
mdadm-raid5-bm  | 1.1 | 6,6,6,6   | --level=5 --chunk=16 --layout=ra --bitmap=internal
mdadm-raid6     | 1.2 | 6,6,6,6,6 | --level=6 --chunk=64
mdadm-raid6-1.0 | 1.0 | 6,6,6,6,6 | --level=6 --chunk=4 --layout=rs --bitmap=internal
mdadm-raid10-n2 | 1.2 | 6,6,6     | --level=10 --chunk=64 --layout=n2
mdadm-raid10-f2 | 1.1 | 8,8,8     | --level=10 --chunk=64 --layout=f2 --bitmap=internal
mdadm-raid10-o2 | 1.0 | 8,8,8,8   | --level=10 --chunk=64 --layout=o2
TABLE

# Left unclean by a kill: name | level | metadata | bitmap | members
read -r -d '' killed_cases <<'TABLE'
killed-raid1    | 1  | 1.2 | none     | 2
killed-raid1-bm | 1  | 1.1 | internal | 2
killed-raid5    | 5  | 1.2 | none     | 3
killed-raid5-bm | 5  | 1.2 | internal | 4
killed-raid6-bm | 6  | 1.0 | internal | 5
killed-raid10   | 10 | 1.2 | none     | 4
TABLE

# Left unclean by the kernel: name | level | metadata | bitmap | MiB of each member | who settles it
read -r -d '' dirtied_cases <<'TABLE'
dirtied-raid1    | 1  | 1.0 | none     | 8,8         | ftool
dirtied-raid1-bm | 1  | 1.2 | internal | 12,12       | kernel
dirtied-raid5    | 5  | 1.1 | none     | 8,8,8       | kernel
dirtied-raid5-bm | 5  | 1.2 | internal | 12,12,12    | ftool
dirtied-raid6-bm | 6  | 1.0 | internal | 8,8,8,8     | kernel
dirtied-raid10   | 10 | 1.2 | none     | 8,8,8,8     | ftool
TABLE

# Members come and go: name | level | metadata | bitmap | MiB of the members, of a spare and of a new one | ends
# the rebuild that ftool is stopped in
read -r -d '' moved_cases <<'TABLE'
moved-raid1     | 1  | 1.2 | internal | 16,16,16,17          | ftool
moved-raid5     | 5  | 1.2 | none     | 16,16,16,16,16       | kernel
moved-raid5-bm  | 5  | 1.1 | internal | 16,16,16,16,18       | ftool
moved-raid6     | 6  | 1.0 | internal | 16,16,16,16,16,17    | kernel
moved-raid10    | 10 | 1.2 | none     | 16,16,16,16,16,16    | kernel
TABLE

# ftool writes without a member that the kernel then takes back by the bitmap: name | level | metadata | MiB
read -r -d '' away_cases <<'TABLE'
away-raid1  | 1  | 1.2 | 16,16
away-raid5  | 5  | 1.0 | 16,16,16
away-raid6  | 6  | 1.1 | 16,16,16,16,16
away-raid10 | 10 | 1.2 | 16,16,16,16
TABLE

# mdadm reaches into the places where ftool keeps its own: name | level | metadata | MiB of each member | --size | mdadm's
# options. The partial parity log of 1.0 falls onto sums here.
read -r -d '' grown_cases <<'TABLE'
grown-bitmap     | 5 | 1.2 | 24,24,24    |       | --bitmap=internal
grown-bitmap-1.0 | 5 | 1.0 | 24,24,24    |       | --bitmap=internal
grown-ppl-1.0    | 5 | 1.0 | 24,24,24    | 8176K | --consistency-policy=ppl
grown-size       | 6 | 1.2 | 24,24,24,24 | 8M    | --size=max
grown-size-1.0   | 1 | 1.0 | 24,24       | 8M    | --size=max
grown-members    | 5 | 1.2 | 24,24,24,24 |       | --raid-devices=4
TABLE

# What mdadm had begun, and ftool ends: an array of Tests/Golden | what is done to it
read -r -d '' begun_cases <<'TABLE'
raid5-3-rebuilding    | rebuild m0 m2 m3
raid5-3-replacing     | rebuild m0 m1 m2 m3
raid5-3-failed        | rebuild m0 m1 m2 --member m1
raid1-2-bitmap-failed | rebuild m0 m1
TABLE

# ---- words ------------------------------------------------------------------------------------------
declare -A level layout metadata bitmap chunk sums sizes lost kind options limit settler bad complete
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
first_paths() { if [ "${kind[$1]}" = moved ] || [ "$1" = grown-members ]; then paths "$1" | sed '$d'; else paths "$1"; fi; }
newest() { paths "$1" | tail -1; }
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

# ---- reading the tables -----------------------------------------------------------------------------
field() { cut -d'|' -f"$2" <<<"$1" | sed 's/^ *//; s/ *$//'; }
add() { names+=("$1"); kind[$1]=$2; }
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  level[$name]=$(field "$row" 2) layout[$name]=$(field "$row" 3) metadata[$name]=$(field "$row" 4)
  bitmap[$name]=$(field "$row" 5) chunk[$name]=$(field "$row" 6) sums[$name]=$(field "$row" 7)
  sizes[$name]=$(field "$row" 8) lost[$name]=$(field "$row" 9)
  add "$name" ours
done <<<"$cases"
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  metadata[$name]=$(field "$row" 2) sizes[$name]=$(field "$row" 3) options[$name]=$(field "$row" 4)
  level[$name]=$(sed 's/.*--level=\([a-z0-9]*\).*/\1/' <<<"${options[$name]}") layout[$name]=mdadm sums[$name]=none lost[$name]=
  add "$name" foreign
done <<<"$foreign_cases"
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  level[$name]=$(field "$row" 2) metadata[$name]=$(field "$row" 3) bitmap[$name]=$(field "$row" 4)
  layout[$name]=default sums[$name]=crc32c lost[$name]=
  # With a bitmap several regions, of which the write touches few.
  if [ "${bitmap[$name]}" = internal ]; then size=256; else size=64; fi
  sizes[$name]=$(printf "$size,%.0s" $(seq "$(field "$row" 5)") | sed 's/,$//')
  add "$name" killed
done <<<"$killed_cases"
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  level[$name]=$(field "$row" 2) metadata[$name]=$(field "$row" 3) bitmap[$name]=$(field "$row" 4)
  sizes[$name]=$(field "$row" 5) settler[$name]=$(field "$row" 6)
  layout[$name]=default sums[$name]=crc32c lost[$name]=
  add "$name" "$(sed 's/-.*//' <<<"$name")"
done <<<"$dirtied_cases
$moved_cases"
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  level[$name]=$(field "$row" 2) metadata[$name]=$(field "$row" 3) sizes[$name]=$(field "$row" 4)
  limit[$name]=$(field "$row" 5) options[$name]=$(field "$row" 6)
  layout[$name]=default sums[$name]=crc32c lost[$name]=
  kind[$name]=${name%%-*}
  [ "${kind[$name]}" = away ] && bitmap[$name]=internal
  [ "${kind[$name]}" = grown ] && chunk[$name]=64K
  [ "${level[$name]}" = 1 ] && chunk[$name]=-
  add "$name" "${kind[$name]}"
done <<<"$away_cases
$grown_cases"
while IFS= read -r row; do
  name=$(field "$row" 1)
  grep -Eq "$pattern" <<<"$name" || continue
  archive=$here/../Golden/arrays/$name.tar.zst
  [ -e "$archive" ] && command -v zstd >/dev/null || continue
  zstd -qdc "$archive" | tar -xC "$shared" || exit 1
  for member in "$shared/$name"/m*.img; do mv "$member" "${member%.img}"; done
  level[$name]=golden layout[$name]=mdadm metadata[$name]= sums[$name]=none lost[$name]= options[$name]=$(field "$row" 2)
  add "$name" begun
done <<<"$begun_cases"
for name in watched-raid5 watched-raid1; do
  grep -Eq "$pattern" <<<"$name" || continue
  layout[$name]=default sums[$name]=crc32c lost[$name]=
  case $name in
    *5) level[$name]=5 metadata[$name]=1.2 sizes[$name]=6,6,6 ;;
    *1) level[$name]=1 metadata[$name]=1.0 sizes[$name]=6,6 ;;
  esac
  add "$name" watched
done
if grep -Eq "$pattern" <<<ec-3+2; then
  level[ec-3+2]=ec:3+2 layout[ec-3+2]=- metadata[ec-3+2]=1.2 sums[ec-3+2]=crc32c sizes[ec-3+2]=6,6,6,6,6 lost[ec-3+2]=
  add ec-3+2 ec
fi

# ---- 1: ftool makes and writes them -----------------------------------------------------------------
for name in $(of_kind ours) $(of_kind watched) $(of_kind killed) $(of_kind dirtied) $(of_kind moved) $(of_kind away) $(of_kind grown) $(of_kind ec); do
  make_files "$name"
  arguments=(create "$name" $(first_paths "$name") --level "${level[$name]}" --metadata "${metadata[$name]}" --sums "${sums[$name]}" --yes)
  case ${layout[$name]} in - | default) ;; *) arguments+=(--layout "${layout[$name]}") ;; esac
  case ${chunk[$name]:--} in -) ;; *) arguments+=(--chunk "${chunk[$name]}") ;; esac
  [ "${bitmap[$name]:-none}" = none ] || arguments+=(--bitmap internal)
  [ "${kind[$name]}" = moved ] && arguments+=(--spares 1)
  [ -z "${limit[$name]:-}" ] || arguments+=(--size "${limit[$name]}")
  expect "$name" "ftool creates it" 0 "${arguments[@]}" || continue
  if [ "${kind[$name]}" = killed ]; then continue; fi
  size=$("$FTOOL" raid read $(first_paths "$name") 2>"$work/stderr" | wc -c)
  ran="\$ ftool raid read"
  [ "$size" -gt 1000000 ] || { fail "$name" "reads $size bytes" "$(report)"; continue; }
  piece "$size" 12345 >"$(expected "$name")"
  expect "$name" "ftool writes all of it" 0 write $(first_paths "$name") -i "$(expected "$name")"
  reads "$name" "ftool reads it" $(first_paths "$name")
  case ${kind[$name]} in
    ec) ;;
    away | grown) ;;
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
  reads "$name" "ftool reads it, a stale and a replaced member beside the others" $(paths "$name")
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
  "$FTOOL" raid read $(grep -o 'm[0-9]' <<<"${options[$name]}" | sort -u) >"$(expected "$name")" 2>"$work/stderr"
  cd "$work" || exit 1
  if [ "$(expected_hash "$name")" = "$content" ]; then ok "$name" "ftool reads it"; else fail "$name" "the content is wrong" "$(report)"; fi
done
for name in $(of_kind killed); do
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
  used=$(case $name in raid5-3-rebuilding | raid5-3-replacing) echo m0 m2 m3 ;; raid5-3-failed) echo m0 m1 m2 ;; *) echo m0 m1 ;; esac)
  plan array "$name"
  plan assemble $used
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
