# The arrays that run.sh hands to and fro, and reading their tables; read by run.sh.

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

# Left unclean by a kill: name | level | metadata | bitmap | members. Those with parity and a journal the kernel
# has to leave alone until ftool has opened them.
read -r -d '' killed_cases <<'TABLE'
killed-raid1    | 1  | 1.2 | none     | 2
killed-raid1-bm | 1  | 1.1 | internal | 2
killed-raid5    | 5  | 1.2 | none     | 3
killed-raid5-bm | 5  | 1.2 | internal | 4
killed-raid6-bm | 6  | 1.0 | internal | 5
killed-raid10   | 10 | 1.2 | none     | 4
journaled-raid5    | 5 | 1.2 | none     | 3
journaled-raid4    | 4 | 1.1 | none     | 3
journaled-raid6-bm | 6 | 1.0 | internal | 5
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

# ftool gives it another shape: name | level | metadata | bitmap | chunk | MiB of each member | how many of them come |
# ftool's options
read -r -d '' reshaped_cases <<'TABLE'
reshaped-5-add    | 5 | 1.2 | internal | 64K  | 24,24,24,24       | 1 |
reshaped-5-to-6   | 5 | 1.1 | none     | 64K  | 24,24,24,24       | 1 | --level 6
reshaped-6-to-5   | 6 | 1.2 | none     | 16K  | 24,24,24,24       | 0 | --level 5
reshaped-0-to-5   | 0 | 1.2 | none     | 64K  | 24,24,24          | 1 | --level 5
reshaped-1-to-5   | 1 | 1.2 | none     | -    | 24,24,24          | 1 | --level 5
reshaped-5-to-1   | 5 | 1.2 | none     | 64K  | 24,24             | 0 | --level 1
reshaped-4-to-5   | 4 | 1.2 | none     | 64K  | 24,24,24          | 0 | --level 5
reshaped-1-add    | 1 | 1.2 | none     | -    | 24,24,24          | 1 |
reshaped-6-fewer  | 6 | 1.2 | internal | 64K  | 14,14,14,14,14,14 | 0 | --member-count 5 --force
reshaped-5-chunk  | 5 | 1.2 | internal | 64K  | 24,24,24          | 0 | --chunk 16K
reshaped-6-layout | 6 | 1.1 | none     | 64K  | 24,24,24,24       | 0 | --layout ra
reshaped-5-add-1.0   | 5 | 1.0 | internal | 64K | 24,24,24,24       | 1 |
reshaped-6-chunk-1.0 | 6 | 1.0 | none     | 64K | 24,24,24,24       | 0 | --chunk 16K
reshaped-6-fewer-1.0 | 6 | 1.0 | none     | 64K | 14,14,14,14,14,14 | 0 | --member-count 5 --force
reshaped-5-larger | 5 | 1.2 | internal | 64K  | 12,12,12          | 0 | --size max
reshaped-1-larger | 1 | 1.1 | none     | -    | 12,12             | 0 | --size max
reshaped-10-add    | 10 | 1.2 | internal | 64K | 24,24,24,24,24   | 1 |
reshaped-10-odd    | 10 | 1.1 | none     | 64K | 24,24,24,24      | 1 | --chunk 32K
reshaped-10-chunk  | 10 | 1.2 | internal | 64K | 24,24,24,24      | 0 | --chunk 128K
reshaped-10-layout | 10 | 1.2 | none     | 64K | 24,24,24,24      | 0 | --layout offset=2
reshaped-10-offset | 10 | 1.2 | internal | 64K | 24,24,24,24      | 1 |
reshaped-10-add-1.0    | 10 | 1.0 | internal | 64K | 24,24,24,24,24 | 1 |
reshaped-10-layout-1.0 | 10 | 1.0 | none     | 64K | 24,24,24,24    | 0 | --layout offset=2 --chunk 32K
halfway-5-add     | 5 | 1.2 | none     | 64K  | 28,28,28,28       | 1 |
halfway-5-to-6    | 5 | 1.2 | none     | 64K  | 28,28,28,28       | 1 | --level 6
halfway-6-add     | 6 | 1.1 | none     | 64K  | 28,28,28,28,28    | 1 |
halfway-5-chunk   | 5 | 1.2 | none     | 64K  | 28,28,28          | 0 | --chunk 32K
halfway-10-add    | 10 | 1.2 | internal | 64K | 28,28,28,28,28    | 1 |
halfway-10-odd    | 10 | 1.2 | none     | 64K | 28,28,28,28       | 1 |
halfway-10-chunk  | 10 | 1.1 | internal | 64K | 28,28,28,28       | 0 | --chunk 32K
halfway-10-layout | 10 | 1.2 | none     | 64K | 28,28,28,28       | 0 | --layout offset=2
halfway-10-offset | 10 | 1.2 | internal | 64K | 28,28,28,28       | 1 |
handed-5-add      | 5 | 1.2 | none     | 64K  | 28,28,28,28       | 1 |
handed-6-add      | 6 | 1.2 | none     | 16K  | 28,28,28,28,28    | 1 |
handed-10-add     | 10 | 1.2 | internal | 64K | 28,28,28,28,28    | 1 |
handed-10-odd     | 10 | 1.2 | none     | 64K | 28,28,28,28       | 1 |
handed-10-offset  | 10 | 1.1 | none     | 16K | 28,28,28,28       | 1 |
TABLE

# What mdadm had begun, and ftool ends: an array of Tests/Golden | what is done to it
read -r -d '' begun_cases <<'TABLE'
raid5-3-rebuilding    | rebuild m0 m2 m3
raid5-3-replacing     | rebuild m0 m1 m2 m3
raid5-3-failed        | rebuild m0 m1 m2 --member m1
raid1-2-bitmap-failed | rebuild m0 m1
TABLE

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
  add "$name" "$(sed 's/-.*//' <<<"$name")"
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
  level[$name]=$(field "$row" 2) metadata[$name]=$(field "$row" 3) bitmap[$name]=$(field "$row" 4)
  chunk[$name]=$(field "$row" 5) sizes[$name]=$(field "$row" 6) joining[$name]=$(field "$row" 7)
  options[$name]=$(field "$row" 8) layout[$name]=default sums[$name]=crc32c lost[$name]=
  # A whole number of bands of every layout and chunk.
  [ "${level[$name]}" = 10 ] && limit[$name]=16M
  case $name in *-10-offset) layout[$name]=offset=2 ;; esac
  add "$name" "${name%%-*}"
done <<<"$reshaped_cases"
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

