#!/usr/bin/env bash
# Installs what is missing of the Debian or Ubuntu packages that the project needs; without anything missing it needs
# neither network nor root. Usage: scripts/install_packages.sh [GROUP...], GROUP = build | mpi | test | browser | latex |
# images | bench | format | coverage; default: build.
set -euo pipefail

packages_of() {
  case "$1" in
    build) echo "cmake ninja-build g++ libtomlplusplus-dev libcli11-dev nlohmann-json3-dev libfmt-dev libopenblas-dev" \
      "libdnnl-dev zlib1g-dev ocl-icd-opencl-dev opencl-c-headers" ;;  # OpenCL: libdnnl-dev's CMake files want it
    mpi) echo "libopenmpi-dev openmpi-bin" ;;  # found when configured; without it a run has one process
    test) echo "libgtest-dev libboost-context-dev python3 python3-numpy python3-venv" ;;
    browser) echo "chromium chromium-driver python3-selenium" ;;  # reports are tested in it where it is
    latex) echo "texlive-latex-base texlive-latex-recommended lmodern poppler-utils" ;;  # so are tables
    images) echo "python3-pil python3-numpy" ;;  # for tests on CIFAR-10
    bench) echo "libbenchmark-dev" ;;
    # Another version of clang-format would format differently; it is better than none.
    format) if is_available clang-format-14; then echo "clang-format-14"; else echo "clang-format"; fi ;;
    coverage) echo "gcovr" ;;
    *) echo "install_packages.sh: unknown group \"$1\"; expected build, mpi, test, browser, latex, images, bench, format or coverage" >&2; return 2 ;;
  esac
}

is_installed() { [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]; }

is_available() { is_installed "$1" || [[ -n "$(apt-cache search --names-only "^$1\$" 2>/dev/null)" ]]; }

if [[ $# -eq 0 ]]; then set -- build; fi
missing=()
for group in "$@"; do
  packages="$(packages_of "$group")"
  for package in $packages; do
    if ! is_installed "$package"; then missing+=("$package"); fi
  done
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

as_root=()
if [[ "$(id -u)" -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_packages.sh: need root or sudo to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
