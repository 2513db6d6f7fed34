#!/usr/bin/env bash
# Runs the tests that were built, and then power cuts by the thousand. What was skipped and what failed is
# said once more at the end, since thousands of lines stand before it.
#
#   SWIFT=swift check.sh [OPTION...]     options of `swift test`
set -uo pipefail

log=.build/check.log
"${SWIFT:-swift}" test --skip-build "$@" 2>&1 | tee "$log"
status=$?

awk -F 'skipped: ' '/^➜ .* skipped: / { count[$2]++ }
  END { for (why in count) print "skipped: " count[why] ", " why }' "$log"
if [ "$status" != 0 ]; then
  echo
  echo "What failed (everything is in $log):"
  # Each issue with the comments below it, in lines that can be read.
  awk '/^✘ .* recorded an issue/ { print; follows = 1; next }
       /^↳/ && follows           { print; next }
                                 { follows = 0 }
       /^error: |Fatal error|^\*\*\*/ { print }' "$log" | cut -c 1-900 | head -n 80
fi
# Who asked for some of the tests wants no more than these.
if [ $# != 0 ]; then exit "$status"; fi
echo
echo "Power cuts:"
cuts=.build/power-cuts.log
.build/release/ftool-simulator --states 12000 --seed 1 >"$cuts"
cut=$?
# A line for each cell is in the log; here what failed, how to see it again, and the sum.
grep -A 1 '^FAILED' "$cuts" | cut -c 1-900 | head -n 40
tail -n 1 "$cuts"
[ "$status" != 0 ] || status=$cut
exit "$status"
