#!/usr/bin/env bash
# Builds everything that needs a GPU with nvcc and packs it into one archive for a machine that has a GPU and Python but
# neither our packages nor a network: programs, tests and benchmarks, the shared libraries that these need besides the C
# library (which has to be as new as here), the files that tests read, PyTorch and JAX baselines, scripts/gpu_check.sh.
# Prints the archive's path and size. usage: scripts/bundle.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=sparsepush-gpu most_bytes=60000000
build=build/cuda
folder=build/bundle/$name archive=build/bundle/$name.tar.xz

PATH=$PATH:/usr/local/cuda/bin
cmake --preset cuda --log-level=WARNING >/dev/null
cmake --build --preset cuda

# Where the programs of a folder find the libraries that they need besides the C library's.
libraries_of() {
  ldd "$1"/* | awk '$2 == "=>" {print $3}' | sort -u |
    grep -vE '/(lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux-x86-64\.so\.2)$'
}

rm -rf build/bundle
mkdir -p "$folder"/{bin,lib,bench,scripts}
for program in "$build"/{sparsepush,*_bench,*_test}; do strip -o "$folder/bin/${program##*/}" "$program"; done
# Open MPI for several processes on one machine: programs, plugins, help, as OPAL_PREFIX and PMIX_INSTALL_PREFIX lead there.
if command -v orterun >/dev/null; then
  plugins=$(ompi_info --parsable --path pkglibdir | cut -d: -f3)
  mpi=$folder/mpi
  mkdir -p "$mpi"/{bin,share,pmix/lib} "$mpi/${plugins#/usr/}"
  cp -L "$(command -v orted)" "$mpi/bin/" && cp -L "$(command -v orterun)" "$mpi/bin/mpirun"
  # Not those for networks, files and what else one machine does without.
  find "$plugins" -name 'mca_*.so' | grep -vE '_(ucx|ofi|[a-z]*verbs|psm2?|portals4|openib|usnic|ompio|fs|fbtl|fcoll|io|sharedfp|spml|scoll|sshmem|memheap)(_|[.])' |
    xargs cp -L -t "$mpi/${plugins#/usr/}"
  cp -rL /usr/share/openmpi "$mpi/share/"
  pmix=$(find /usr/lib -name 'pmix_mca_*.so' -printf '%h\n' -quit)  # .../lib/pmix
  cp -rL "$pmix" "$mpi/pmix/lib/"
  cp -rL "$pmix/../../share" "$mpi/pmix/"
fi
libraries_of "$folder/bin" | xargs cp -L -t "$folder/lib"
if [[ -d "$folder/mpi" ]]; then
  find "$folder/mpi" -type f \( -name '*.so' -o -path '*/bin/*' \) -print0 | xargs -0 ldd 2>/dev/null |
    awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | grep -vE '/(lib(c|m|dl|rt|pthread)[.]so[.]|ld-linux)' |
    xargs cp -L -t "$folder/lib"
fi
strip "$folder"/lib/*
if libraries_of "$folder/bin" | grep -v "/$name/"; then
  echo "bundle.sh: the programs find these libraries outside of the bundle" >&2
  exit 1
fi
cp -r bench/baselines "$folder/bench/"
cp scripts/gpu_check.sh scripts/gpu_check_table.py "$folder/scripts/"
git ls-files -z 'tests/program/*.py' 'tests/reference/*.json' | xargs -0 cp --parents -t "$folder"
find "$folder" -name __pycache__ -prune -exec rm -r {} +

tar -C build/bundle --sort=name --owner=0 --group=0 -cf - "$name" | xz -T0 -9 >"$archive"
bytes=$(stat -c %s "$archive")
if [[ "$bytes" -ge "$most_bytes" ]]; then
  echo "bundle.sh: $archive has $bytes bytes, more than $most_bytes" >&2
  exit 1
fi

# The tests that read files have to read the packed ones: unpacked elsewhere they pass, and where the packed files are
# empty they fail although this source tree has them.
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
tar -xf "$archive" -C "$elsewhere"
readers=$(git grep -lE 'test_files\.h|SPARSEPUSH_TEST_FILES' -- 'tests/*_test.cpp' | xargs -n 1 basename -s .cpp)
for test in $readers; do "$elsewhere/$name/bin/$test" --gtest_brief=1 >&2; done
truncate -s 0 "$elsewhere/$name"/tests/reference/*.json
for test in $readers; do
  if "$elsewhere/$name/bin/$test" >/dev/null 2>&1; then
    echo "bundle.sh: $test passes without the files of the bundle" >&2
    exit 1
  fi
done
echo "$archive $bytes bytes"
