#!/usr/bin/env bash
# Runs the tests that were built. What was skipped and what failed is said once more at the end, since
# thousands of lines stand before it.
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
exit "$status"
