#!/usr/bin/env bash
# Runs all tests and prints which share of our lines they execute; fails below 90 %.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
least_percent=90

scripts/install_packages.sh coverage
# Counts of an earlier run would be added to.
if [[ -d build/coverage ]]; then find build/coverage -name '*.gcda' -delete; fi
scripts/test.sh coverage
echo "== coverage: report"
gcovr --root . --object-directory build/coverage --filter '(kernels|models|data|host)/' \
  --exclude-throw-branches --exclude-unreachable-branches --print-summary --fail-under-line "$least_percent"
