#!/usr/bin/env bash
# Builds the tests, deletes each barrier and changes each operator of the kernels in turn, and writes which mutants the
# tests catch to tests/simt/mutants.csv. Mutants of files whose device code has not changed since are not run again.
# Usage: scripts/mutation.sh [--minutes M] [STEM...], such as push_sum_mix: looks at these kernels only, or so long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/install_packages.sh build test
cmake --preset cpu --log-level=WARNING >/dev/null
cmake --build --preset cpu
exec python3 tests/simt/mutation.py "$@"
