#!/usr/bin/env python3
"""Renews what is generated: the parts of README.md and docs/ between marker comments, which the program's subcommands
print, and, where nvcc is installed, the table of kernel resources.

usage: scripts/generate.py [PROGRAM]; PROGRAM: build/cpu/sparsepush unless it is given.
"""

import re
import subprocess
import sys
from pathlib import Path

import ptx

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "configuration.md"]
PART = re.compile(r"(<!-- sparsepush (?P<of>\w+): begin -->\n).*?(\n<!-- sparsepush (?P=of): end -->)", re.DOTALL)


def renewed(text, program):
    """`text` with what `program` prints between its markers."""

    def part(match):
        command = [program, match["of"], "--markdown"]
        table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return match[1] + table.rstrip("\n") + match[3]

    return PART.sub(part, text)


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    program = Path(sys.argv[1] if len(sys.argv) == 2 else ROOT / "build" / "cpu" / "sparsepush").resolve()
    for page in PAGES:
        page.write_text(renewed(page.read_text(), program))
    if ptx.NVCC:
        subprocess.run([ROOT / "scripts" / "kernel_resources.py"], check=True)


if __name__ == "__main__":
    main()
