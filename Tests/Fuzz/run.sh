#!/usr/bin/env bash
# Feeds libFuzzer's inputs to what decodes metadata and images, each target for a while.
#
#   run.sh [SECONDS]     for each target; 60 by default
#
# FUZZ_SEED repeats a run; without it a new seed is taken, and printed. What was found to be of use stays in
# .build-fuzz/corpus and is where the next run begins; an input that fails is kept beside it, and named.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60} seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
scratch=.build-fuzz
export FTOOL_FUZZ=1
build() {
  "${SWIFT:-swift}" build --sanitize=fuzzer -c release --product "$1" --scratch-path $scratch
}

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
printf '%s\n' '@_cdecl("LLVMFuzzerTestOneInput")' \
  'func input(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt { 0 }' >"$probe/probe.swift"
if ! "${SWIFT:-swift}c" -sanitize=fuzzer -parse-as-library -o "$probe/probe" "$probe/probe.swift" \
  2>"$probe/errors"; then
  echo "fuzz: skipped: this compiler has no libFuzzer ($(head -1 "$probe/errors"))"
  exit 0
fi

for target in superblock bitmap region-header image; do
  samples=Tests/MDFormatTests/Fixtures
  [ $target != image ] || samples=Tests/CheckpointFormatTests/Fixtures
  build "fuzz-$target"
  corpus=$scratch/corpus/$target
  mkdir -p "$corpus"
  echo "fuzz: $target for $seconds s, FUZZ_SEED=$seed"
  "$scratch/release/fuzz-$target" -seed="$seed" -max_total_time="$seconds" -print_final_stats=1 \
    -verbosity=0 -timeout=10 -max_len=16384 -artifact_prefix="$scratch/failed-$target-" \
    "$corpus" $samples
done
