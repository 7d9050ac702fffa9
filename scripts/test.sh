#!/usr/bin/env bash
# Installs what is missing, builds and runs all tests. Usage: scripts/test.sh [PRESET], PRESET = cpu | cuda | asan | tsan |
# coverage; default: cpu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset="${1:-cpu}"

# Fails with the report of a test that a sanitizer stopped, also where the test itself would go on.
export ASAN_OPTIONS="${ASAN_OPTIONS:-strict_string_checks=1:detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:suppressions=$PWD/tests/tsan_suppressions.txt}"

# ThreadSanitizer's runtime cannot map its shadow memory where the kernel randomizes addresses with more than 28 bits.
unrandomized=()
if [[ "$preset" == tsan ]] && setarch -R true 2>/dev/null; then unrandomized=(setarch -R); fi

scripts/install_packages.sh build mpi test
scripts/python_environment.sh
echo "== $preset: configure"
cmake --preset "$preset" --log-level=WARNING >/dev/null
echo "== $preset: build"
"${unrandomized[@]}" cmake --build --preset "$preset"
echo "== $preset: test"
"${unrandomized[@]}" ctest --preset "$preset" -j "$(nproc)" </dev/null
