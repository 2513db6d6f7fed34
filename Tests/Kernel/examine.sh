#!/bin/bash
# Says where `ftool raid examine` and `mdadm --examine` differ about a member.
#
#   examine.sh MEMBER...              asks the mdadm that setup.sh got
#   examine.sh -e TEXT MEMBER         compares with what an mdadm said earlier
#
# Every line that mdadm prints must be among ftool's, name and value; ftool may say more.
# Prints what is missing or different; exit 1 then. FTOOL is the program.
set -u
here=$(cd "$(dirname "$0")" && pwd)
ftool=${FTOOL:-$here/../../.build/release/ftool}
export LC_ALL=C TZ=UTC

# Spaces do not count, nor what depends on the place where it is asked: the path, the host's own name, and
# what device has a number there (the table of 0.90 ends its lines with that).
fields() {
  sed -e '/^[^ ]*:$/d' -e 's/ *(local to host [^)]*)//' -e 's/[[:space:]][[:space:]]*/ /g' -e 's/^ //; s/ $//; s| /dev/[^ ]*$||' -e '/^$/d'
}
text=
[ "${1:-}" = -e ] && { text=$2; shift 2; }
different=0
for member in "$@"; do
  if [ -n "$text" ]; then theirs=$(fields <"$text"); else theirs=$("$("$here/setup.sh")/mdadm" --examine "$member" 2>&1 | fields); fi
  ours=$("$ftool" raid examine "$member" 2>&1 | fields)
  lines=$(grep -vxFf <(echo "$ours") <<<"$theirs") || continue
  different=1
  while read -r line; do
    echo "${member##*/}: mdadm: $line"
    grep -F "${line%% : *} :" <<<"$ours" | sed "s|^|${member##*/}: ftool: |"
  done <<<"$lines"
done
exit $different
