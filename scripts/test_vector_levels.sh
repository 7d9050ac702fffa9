#!/usr/bin/env bash
# Runs the tests that compute at each vector level below the processor's best, at which scripts/test.sh runs them: with
# oneDNN's own variable, which our loops follow in tests. Wants what scripts/test.sh built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lower=()
if grep -qw avx2 /proc/cpuinfo; then lower+=(SSE41); fi
if grep -qw avx512f /proc/cpuinfo; then lower+=(AVX2); fi

run_tests() { DNNL_MAX_CPU_ISA="$isa" ctest --preset cpu -L numeric -j "$(nproc)" "$@" </dev/null; }

for isa in "${lower[@]}"; do
  echo "== cpu: tests at $isa"
  # Of the simulated GPU only what is compared with a Cpu: nothing else there depends on the level, and it is slow.
  # FullLargeOffsets fill 9 GB to see 64-bit offsets, for which all levels have the same code.
  run_tests -E 'sparsepush::Cuda|FullLargeOffsets'
  run_tests -R '(BackendAgreement|SoftmaxXent)On.*sparsepush::Cuda'
done
