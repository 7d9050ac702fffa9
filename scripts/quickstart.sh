#!/usr/bin/env bash
# Installs what is missing, builds, and trains Sparse-Push and SCSP against dense SGP on the embedded digits.
# Prints a table and draws the curves. usage: scripts/quickstart.sh [FOLDER]   (default: quickstart)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-quickstart}

started=$SECONDS
scripts/install_packages.sh build plot
installed=$SECONDS
cmake --preset cpu -DSPARSEPUSH_TESTS=OFF > /dev/null
cmake --build --preset cpu --target sparsepush
built=$SECONDS

rm -rf "$out"
mkdir -p "$out"
for topology in ring irregular; do
  for data in iid skewed; do
    for algorithm in sgp sparse_push scsp; do
      settings=(--set "algorithm.name=$algorithm")
      [ "$topology" = ring ] || settings+=(--set topology.name=random_out --set topology.degree=2)
      [ "$data" = iid ] || settings+=(--set data.partition=skew --set data.skew=1.0)
      echo "training: $algorithm, $topology, $data"
      build/cpu/sparsepush run scripts/quickstart.toml "${settings[@]}" --out "$out/$topology-$data-$algorithm" --quiet
    done
  done
done
trained=$SECONDS

/usr/bin/python3 scripts/quickstart_table.py "$out" | tee "$out/table.md"
echo
echo "Time: packages $((installed - started)) s, build $((built - installed)) s, training $((trained - built)) s."
