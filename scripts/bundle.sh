#!/usr/bin/env bash
# Builds everything that needs a GPU with nvcc and packs it into one archive for a machine that has a GPU and Python but
# neither our packages nor a network: programs, tests and benchmarks that need the C library only, PyTorch and JAX
# baselines, scripts/gpu_check.sh. Prints the archive's path and size. usage: scripts/bundle.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly programs="sparsepush gossip_bench all_tests" most_bytes=60000000
name=sparsepush-gpu
build=build/bundle
folder=$build/$name archive=$build/$name.tar.xz

PATH=$PATH:/usr/local/cuda/bin
cmake --preset bundle --log-level=WARNING >/dev/null
# shellcheck disable=SC2086
cmake --build --preset bundle --target $programs

rm -rf "$folder" "$archive"
mkdir -p "$folder"/{bin,bench,scripts}
for program in $programs; do
  strip -o "$folder/bin/$program" "$build/$program"
  others=$(ldd "$folder/bin/$program" | grep -vE '^\s*(linux-vdso|/lib64/ld-linux-x86-64|lib(c|m|dl|rt|pthread))\.so' || true)
  if [[ -n "$others" ]]; then
    echo "bundle.sh: $program needs more than the C library: $others" >&2
    exit 1
  fi
done
cp -r bench/baselines "$folder/bench/"
cp scripts/gpu_check.sh scripts/gpu_check_table.py "$folder/scripts/"
git ls-files -z 'tests/*.py' | xargs -0 cp --parents -t "$folder"
find "$folder" -name __pycache__ -prune -exec rm -r {} +

tar -C "$build" --sort=name --owner=0 --group=0 -cf - "$name" | xz -T0 -6 >"$archive"
bytes=$(stat -c %s "$archive")
if [[ "$bytes" -ge "$most_bytes" ]]; then
  echo "bundle.sh: $archive has $bytes bytes, more than $most_bytes" >&2
  exit 1
fi
echo "$archive $bytes bytes"
