#!/usr/bin/env bash
# Installs what is missing, builds, trains the table of scripts/quickstart.toml and draws its report.
# usage: scripts/quickstart.sh [FOLDER]   (default: quickstart)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../quickstart}")
cd "$(dirname "$0")/.."

started=$SECONDS
scripts/install_packages.sh build
installed=$SECONDS
cmake --preset cpu -DSPARSEPUSH_TESTS=OFF >/dev/null
cmake --build --preset cpu --target sparsepush
built=$SECONDS

status=0
build/cpu/sparsepush table scripts/quickstart.toml --out "$out" || status=$?
echo
echo "Time: packages $((installed - started)) s, build $((built - installed)) s, training $((SECONDS - built)) s."
if [[ $status -eq 0 || $status -eq 3 ]]; then echo "With curves: $out/report.html; charts: $out/figures/*.svg"; fi
exit "$status"
