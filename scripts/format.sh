#!/usr/bin/env bash
# Formats all C++ sources that git knows; with --check it changes nothing and fails if one is not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ $# -gt 1 || "${1:---check}" != --check ]]; then
  echo "usage: scripts/format.sh [--check]" >&2
  exit 2
fi
if ! command -v clang-format-14 >/dev/null && ! command -v clang-format >/dev/null; then
  scripts/install_packages.sh format
fi
formatter="$(command -v clang-format-14 || command -v clang-format)"
if [[ "${1:-}" == --check ]]; then mode=(--dry-run --Werror); else mode=(-i); fi
git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 -r "$formatter" "${mode[@]}"
if [[ "${1:-}" == --check ]]; then echo "All sources are formatted."; fi
