#!/bin/bash
# Reads arrays that a real mdadm and kernel made, whole and with members missing.
#
#   run.sh [FOLDER]     every NAME.tar.zst in FOLDER (default: the few that are kept beside this script)
#
# expectations.tsv says for each array and each set of members what has to come out: the content's SHA-256;
# "refused": an error and no data, since too much is missing; "fails": an error, since a part of the content
# is missing (a half-made rebuild, a listed bad block). It knows more arrays than are kept here.
# Nothing that reads may change a member. Where the archive has what mdadm --examine said, ftool must say it too.
# Prints what is wrong and at the end "N passed, N failed". Needs tar and zstd. FTOOL: the program.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export FTOOL=${FTOOL:-$here/../../.build/release/ftool} LC_ALL=C TZ=UTC

# One array, in a process of its own: prints "ok ..." and "FAIL ..." lines.
if [ "${1:-}" = --one ]; then
  archive=$2 name=$(basename "$2" .tar.zst)
  work=$(mktemp -d "${TMPDIR:-/tmp}/golden.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  export XDG_STATE_HOME=$work/state
  zstd -qdc "$archive" | tar -xC "$work" || { echo "FAIL $name: cannot unpack it"; exit; }
  folder=$work/$name
  chmod a-w "$folder"/*.img
  look() { stat -c '%n %s %b %.9Y %.9Z' "$folder"/*.img; }  # any write changes the times
  fail() { echo "FAIL $name $1: $2"; head -5 "$work/stderr" | sed 's/^/  /'; }
  before=$(look)
  read_them() {  # PATH...: sets status, bytes, hash
    local sum
    sum=$({ timeout 120 "$FTOOL" raid read "$@" 2>"$work/stderr"; echo $? >"$work/status"; } | tee >(wc -c >"$work/bytes") | sha256sum)
    hash=${sum%% *} status=$(cat "$work/status")
    while [ ! -s "$work/bytes" ]; do sleep 0.01; done
    bytes=$(cat "$work/bytes")
    rm "$work/bytes"
  }
  known=0
  while IFS=$'\t' read -r array members content; do
    [ "$array" = "$name" ] || continue
    known=1
    paths=()
    for member in ${members//,/ }; do paths+=("$folder/$member.img"); done
    # The others of a member that is given alone are looked for beside it: there they must not be.
    if [ ${#paths[@]} = 1 ]; then
      mkdir -p "$work/alone/$members"
      ln -sf "${paths[0]}" "$work/alone/$members/"
      paths=("$work/alone/$members/$members.img")
    fi
    # What a missing member held where a crash left doubt is read only by who insists; logs leave no doubt.
    force=()
    case $name in *journal* | *ppl*) ;; *unclean | *resync-part) force=(--force) ;; esac
    read_them "${force[@]}" "${paths[@]}"
    case $content in
      refused)
        if [ "$bytes" != 0 ]; then fail "$members" "too few members, but $bytes bytes came out (exit $status)"
        elif [ "$status" != 65 ] && [ "$status" != 66 ]; then fail "$members" "too few members: exit $status, wanted 65 or 66"
        else echo "ok $name $members: refused"; fi ;;
      fails)
        case $status in
          3 | 65 | 66 | 74) echo "ok $name $members: not all of it" ;;
          *) fail "$members" "not all of it can be read: exit $status" ;;
        esac ;;
      *)
        if [ "$status" != 0 ]; then fail "$members" "exit $status"
        elif [ "$hash" != "$content" ]; then fail "$members" "the content is wrong ($bytes bytes)"
        else echo "ok $name $members"; fi ;;
    esac
  done <"$here/expectations.tsv"
  [ $known = 1 ] || echo "FAIL $name: nothing is known of it"
  "$FTOOL" raid status "$folder"/*.img >"$work/stdout" 2>"$work/stderr" || fail all "status: exit $?"
  for text in "$folder"/examine-*.txt; do
    [ -e "$text" ] || continue
    member=m$(basename "$text" .txt | tr -dc 0-9)
    if "$here/../Kernel/examine.sh" -e "$text" "$folder/$member.img" >"$work/stderr"; then echo "ok $name $member: examine"
    else fail "$member" "examine is not what mdadm says"; fi
  done
  : >"$work/stderr"
  [ "$(look)" = "$before" ] && echo "ok $name: unchanged" || fail all "reading changed a member"
  exit
fi

[ -x "$FTOOL" ] || { echo "no $FTOOL: build it first (swift build -c release)" >&2; exit 1; }
for tool in zstd tar; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 0; }; done
folder=${1:-$here/arrays}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
find "$folder" -maxdepth 1 -name '*.tar.zst' -print0 | sort -z \
  | xargs -0 -P "$(nproc)" -I{} sh -c '
      lines=$2/$(basename "$1")
      "$0" --one "$1" >"$lines"
      grep -v "^ok " "$lines"; :' "$0" {} "$results"
passed=$(cat "$results"/* | grep -c '^ok ') failed=$(cat "$results"/* | grep -c '^FAIL ')
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
