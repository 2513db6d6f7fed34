# What run.sh's plans are made of; read by the machine's shell before the plan.
#
# A plan is a list of steps about one array after the other:
#
#   array NAME MEMBERS     its members are /host/NAME/m0, m1, ...; ends the array before it
#   assemble M...          by mdadm, without --run or --force: must start clean, with no resync
#   content SHA256         what the device holds
#   write STEP             the ranges of /host/NAME/writes.STEP, "offset length skip", from /host/pool
#   check                  md's own: no mismatch
#   leave                  stop it
#
# Each step prints "ok NAME what" or "FAIL NAME what"; after a FAIL the array's other steps
# are skipped, and what the kernel said is shown. An array that was gone through says "done NAME".
name= failed=0 md=md0 loops=

say() { echo "ok $name $*"; }
fail() {
  echo "FAIL $name $*"
  sed 's/^/  mdstat: /' /proc/mdstat | grep -v 'unused devices\|^  mdstat: *$'
  [ -s /tmp/mdadm ] && sed 's/^/  mdadm: /' /tmp/mdadm
  dmesg | tail -12 | sed 's/^/  kernel: /'
  failed=1
}
expect() { # WHAT COMMAND...: the command must succeed
  [ $failed = 0 ] || return 1
  local what=$1
  shift
  if "$@" >/tmp/mdadm 2>&1; then say "$what"; else fail "$what"; return 1; fi
}
wanted() { # WHAT IS WANTED: both must be the same
  [ $failed = 0 ] || return 1
  if [ "$2" = "$3" ]; then say "$1"; else fail "$1: $2, wanted $3"; return 1; fi
}
attribute() { cat /sys/block/$md/md/$1 2>/dev/null; }

detach() {
  sync
  [ -e /sys/block/$md/md ] && mdadm --stop /dev/$md >/dev/null 2>&1
  for loop in $loops; do losetup -d $loop; done
  loops=
}
finish() { [ -z "$name" ] || { detach; echo "done $name"; }; name=; }
array() { finish; name=$1 failed=0; : >/tmp/mdadm; }
attach() { # M...: a loop device for each member
  local member
  for member in "$@"; do
    loop=/dev/loop$(echo $member | tr -dc 0-9)
    losetup $loop /host/$name/$member || { fail "losetup $member"; return 1; }
    loops="$loops $loop"
  done
  dmesg -c >/dev/null  # from here on it is about this array
  : >/tmp/mdadm
}
said() { dmesg | grep -q "$1"; }

assemble_with() { # OPTION... -- M...
  local options=
  while [ "$1" != -- ]; do options="$options $1"; shift; done
  shift
  [ $failed = 0 ] || return 1
  attach "$@" || return 1
  mdadm --assemble $options /dev/$md $loops >/tmp/mdadm 2>&1 || { fail "assemble $*"; return 1; }
}
assemble() {
  assemble_with -- "$@" || return 1
  grep -q "has been started with $# drives*\.$" /tmp/mdadm || { fail "assemble $*: not all of them"; return 1; }
  grep -Eq 'resync|recovery|reshape|inactive' /proc/mdstat && { fail "assemble: a resync"; return 1; }
  said 'resync of\|recovery of\|not clean' && { fail "assemble: a resync"; return 1; }
  case $(attribute array_state) in
    clean | active-idle | readonly | read-auto) ;;
    active) case $(attribute level) in linear | raid0) ;; *) fail "assemble: not clean"; return 1 ;; esac ;;
    *) fail "assemble: state $(attribute array_state)"; return 1 ;;
  esac
  case $(attribute degraded) in '' | 0) ;; *) fail "assemble: degraded"; return 1 ;; esac
  say "kernel assembles it clean, without a resync"
}
assemble_degraded() { # M...: those that are there; --run starts what mdadm would only hold
  assemble_with --run -- "$@" || return 1
  case $(attribute degraded) in 0 | '') fail "assemble: not degraded"; return 1 ;; esac
  say "kernel starts it degraded"
}
dirty_regions() { # of the attached members: "DIRTY ALL KIB", most dirty first; nothing without a bitmap
  local loop
  for loop in $loops; do
    mdadm --examine-bitmap $loop 2>/dev/null | awk '
      / Chunksize : / { kib = $3 * ($4 ~ /^M/ ? 1024 : $4 ~ /^G/ ? 1048576 : 1) }
      / Bitmap : / { print $6, $3, kib }'
  done | sort -rn | head -1
}
note_reads() { for loop in $loops; do awk -v loop=$loop '{ print loop, $3 }' /sys/block/${loop#/dev/}/stat; done >/tmp/reads; }
kib_read() { # since note_reads, of the member that was read most: a mirror's resync reads one of them
  while read -r loop before; do
    awk -v before=$before '{ print int(($3 - before) / 2) }' /sys/block/${loop#/dev/}/stat
  done </tmp/reads | sort -rn | head -1
}
assemble_dirty() { # M...: it was left unclean: the kernel has to resync, with a bitmap only what that says
  [ $failed = 0 ] || return 1
  attach "$@" || return 1
  local regions read limit
  regions=$(dirty_regions)
  note_reads
  mdadm --assemble /dev/$md $loops >/tmp/mdadm 2>&1 || { fail "assemble $*"; return 1; }
  said 'resync of' || { usleep 300000; said 'resync of'; } || { fail "unclean: no resync"; return 1; }
  wait_idle $md
  read=$(kib_read)
  if [ -n "$regions" ]; then
    set -- $regions
    [ $1 -gt 0 ] || { fail "unclean: no dirty region"; return 1; }
    [ $2 -lt 4 ] || [ $1 -lt $2 ] || { fail "unclean: all $2 regions are dirty"; return 1; }
    limit=$(($1 * $3 + 2048))
    [ $read -ge $((($1 - 1) * $3)) ] && [ $read -le $limit ] || { fail "unclean: $1 of $2 regions of $3 KiB are dirty, but $read KiB were read"; return 1; }
    say "kernel resyncs $1 of $2 regions of $3 KiB ($read KiB read)"
  else
    [ $read -ge $(attribute component_size) ] || { fail "unclean: only $read KiB were read"; return 1; }
    say "kernel resyncs all of it ($read KiB read)"
  fi
}
read_only() { # M...: assemble and read, change nothing
  assemble_with --readonly -- "$@" || return 1
  dd if=/dev/$md of=/dev/null bs=1M 2>/dev/null
  say "kernel assembles it read-only"
}
refused() { # M...: mdadm must let it alone, in every way to assemble, and leave the members free
  [ $failed = 0 ] || return 1
  attach "$@" || return 1
  local loop
  mdadm --assemble /dev/$md $loops >/tmp/mdadm 2>&1 && { fail "mdadm --assemble takes it"; return 1; }
  mdadm --assemble --force /dev/$md $loops >>/tmp/mdadm 2>&1 && { fail "mdadm --assemble --force takes it"; return 1; }
  mdadm --assemble --force --run /dev/$md $loops >>/tmp/mdadm 2>&1 && { fail "mdadm --assemble --force --run takes it"; return 1; }
  for loop in $loops; do
    mdadm --incremental $loop >>/tmp/mdadm 2>&1 && { fail "mdadm --incremental takes it"; return 1; }
  done
  grep -q '^md' /proc/mdstat && { fail "an array was started"; return 1; }
  for loop in $loops; do
    [ -z "$(ls /sys/block/${loop#/dev/}/holders)" ] || { fail "$loop is held"; return 1; }
  done
  say "mdadm refuses it in every way and leaves the members free"
}

content() { [ $failed = 0 ] && wanted "content by kernel" "$(sha256sum </dev/$md | cut -d' ' -f1)" "$1"; }
write() {
  [ $failed = 0 ] || return 1
  while read -r offset length skip; do
    dd if=/host/pool of=/dev/$md bs=1M conv=notrunc iflag=skip_bytes,count_bytes oflag=seek_bytes \
      skip=$skip count=$length seek=$offset 2>/tmp/mdadm || { fail "kernel writes"; return 1; }
  done </host/$name/writes.$1
  sync
  say "kernel writes"
}
write_unclean() { # STEP M...: writes, and keeps the members as they are then in /host/NAME/dirty
  [ $failed = 0 ] || return 1
  local step=$1 member
  shift
  echo 1000 >/sys/block/$md/md/safe_mode_delay
  write $step || return 1
  [ "$(attribute array_state)" = active ] || { fail "not active after a write: $(attribute array_state)"; return 1; }
  for member in "$@"; do dd if=$(loop_of $member) of=/host/$name/dirty/$member bs=1M 2>/dev/null; done
  sync
  say "kernel is cut off while it is dirty"
}
check() { # [MIB]: of each member only so much
  [ $failed = 0 ] || return 1
  [ -e /sys/block/$md/md/mismatch_cnt ] || return 0
  wait_idle $md
  [ $# = 0 ] || echo $(($1 * 2048)) >/sys/block/$md/md/sync_max
  echo check >/sys/block/$md/md/sync_action 2>/tmp/mdadm || { fail "cannot check"; return 1; }
  if [ $# != 0 ]; then # it waits there for a higher limit
    while [ "$(sync_action $md)" = check ] && [ "$(attribute sync_completed | cut -d' ' -f1)" != $(($1 * 2048)) ]; do usleep 20000; done
    echo idle >/sys/block/$md/md/sync_action
  fi
  wait_idle $md
  wanted "kernel's check: mismatch_cnt" "$(attribute mismatch_cnt)" 0
}
repair() { # md's own: copies or parity that do not agree are made to
  [ $failed = 0 ] || return 1
  wait_idle $md
  echo repair >/sys/block/$md/md/sync_action 2>/tmp/mdadm || { fail "cannot repair"; return 1; }
  wait_idle $md
  say "kernel repairs it"
}
leave() { [ $failed = 0 ] || return 1; detach; }
begin_reshape() { # M COUNT: adds a member, and is stopped in the middle of growing to so many
  [ $failed = 0 ] || return 1
  attach $1 || return 1
  echo 2000 >/sys/block/$md/md/sync_speed_min
  echo 2000 >/sys/block/$md/md/sync_speed_max
  expect "mdadm adds a member" mdadm /dev/$md --add "$(loop_of $1)" || return 1
  expect "mdadm begins to grow it" mdadm --grow /dev/$md --raid-devices=$2 || return 1
  sleep 3
  grep -q reshape /proc/mdstat || { fail "the reshape is over already"; return 1; }
  mdadm --stop /dev/$md >/tmp/mdadm 2>&1 || { fail "cannot be stopped"; return 1; }
  say "kernel is stopped in the middle of a reshape"
}
recovered() { # WHAT: all members in sync again
  [ $failed = 0 ] || return 1
  usleep 100000
  wait_idle $md
  usleep 100000
  wait_idle $md
  wanted "$1" "$(attribute degraded)" 0
}
create() { # MEMBERS OPTION...: an array by mdadm
  [ $failed = 0 ] || return 1
  local count=$1 i=0 list=
  shift
  while [ $i -lt $count ]; do list="$list m$i"; i=$((i + 1)); done
  attach $list || return 1
  expect "mdadm creates it" mdadm --create /dev/$md --run --assume-clean --raid-devices=$count "$@" $loops
}
loop_of() { echo /dev/loop$(echo $1 | tr -dc 0-9); }
