#!/usr/bin/env bash
# Makes build/python, an environment with the packages that tests/python can use, from a registry. What is not to be had
# is said: its tests skip. PyTorch comes from python3, where that has it, as it is too large to be fetched for tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=build/python/bin/python3
packages=(numpy pandas matplotlib build setuptools wheel)

imports() { "$1" -c "import $2" 2>/dev/null; }

if [[ ! -x "$python" ]]; then
  base=/usr/bin/python3
  if imports python3 torch; then base=python3; fi
  if ! "$base" -m venv --system-site-packages build/python; then
    rm -rf build/python
    echo "python_environment.sh: no environment; tests of the Python package skip what $base lacks"
    exit 0
  fi
fi
missing=()
for package in "${packages[@]}"; do
  # Only what lies in the environment itself: packages of the system may be compiled for another NumPy.
  compgen -G "build/python/lib/python3.*/site-packages/$package" >/dev/null || missing+=("$package")
done
if [[ ${#missing[@]} -gt 0 ]] && ! "$python" -m pip install --quiet --disable-pip-version-check \
  --no-warn-conflicts --retries 1 --ignore-installed "${missing[@]}" </dev/null; then
  echo "python_environment.sh: cannot install ${missing[*]}; tests that need them skip"
  if ! imports "$python" numpy; then rm -rf build/python; fi  # the system's Python has that at least
fi
