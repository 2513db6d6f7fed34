#!/usr/bin/env bash
# Has mandoc read every man page. That a page of another package is not installed here is no fault.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v mandoc > /dev/null; then
  echo "skipped: the man pages are not checked, since mandoc is not installed"
  exit 0
fi
faults=$(mandoc -T lint man/*.[1-9] | grep -v 'STYLE: referenced manual not found' || true)
if [ -n "$faults" ]; then
  echo "$faults"
  exit 1
fi
