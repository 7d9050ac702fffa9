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
PAGES = [ROOT / "README.md", ROOT / "docs" / "configuration.md", ROOT / "docs" / "methods.md"]
PART = re.compile(
    r"(?P<begin><!-- sparsepush (?P<part>(?P<of>\w+)(?P<is_short>, short)?): begin -->\n).*?"
    r"(?P<end>\n<!-- sparsepush (?P=part): end -->)",
    re.DOTALL,
)
LEFT_OUT_IF_SHORT = ("default `averaging_rate`", "topologies")  # columns of many words, which repeat from row to row


def without_columns(table, names):
    """A Markdown table without the columns that have these names."""
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if not line.startswith("|---")]
    rows = [[cell for name, cell in zip(rows[0], row) if name not in names] for row in rows]
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest])


def short(methods):
    """Of what `sparsepush methods --markdown` prints: what runs, in few columns, and what its letters mean."""
    tables_of_what_runs, conditions = methods.split("\n\n")[:2], methods.split("\n\n")[-1]
    tables = [without_columns(table, LEFT_OUT_IF_SHORT) for table in tables_of_what_runs]
    return "\n\n".join([*tables, conditions.splitlines()[0]])


def renewed(text, program):
    """`text` with what `program` prints between its markers."""

    def part(match):
        command = [program, match["of"], "--markdown"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")
        return match["begin"] + (short(printed) if match["is_short"] else printed) + match["end"]

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
