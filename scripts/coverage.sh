#!/usr/bin/env bash
# Runs all tests under AddressSanitizer and UndefinedBehaviorSanitizer (preset asan) and prints which share of our lines
# they execute; fails below 90 %.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
least_percent=90

scripts/install_packages.sh coverage
# Counts of an earlier run would be added to.
if [[ -d build/asan ]]; then find build/asan -name '*.gcda' -delete; fi
scripts/test.sh asan
echo "== coverage: report"
gcovr --root . --object-directory build/asan --filter '(kernels|models|data|host)/' \
  --exclude-throw-branches --exclude-unreachable-branches --print-summary --fail-under-line "$least_percent"
