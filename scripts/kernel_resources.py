#!/usr/bin/env python3
"""Registers, shared memory and spills of every CUDA kernel of ours, as ptxas reports them for each architecture, written as a
table into bench/README.md between two marker comments. Fails if a kernel spills. Needs nvcc, no GPU.

usage: scripts/kernel_resources.py [--check]; --check changes nothing and fails if the table is not up to date.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "kernel_resources"
README = ROOT / "bench" / "README.md"
BEGIN, END = "<!-- kernel resources: begin -->", "<!-- kernel resources: end -->"

ENTRY = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '(?P<architecture>sm_\d+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


def compile_commands():
    """(source, command) of every CUDA source, as the preset `cuda` compiles it."""
    environment = os.environ | {"PATH": os.environ["PATH"] + ":/usr/local/cuda/bin"}
    configure = ["cmake", "--preset", "cuda", "-B", BUILD, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "--log-level=WARNING"]
    subprocess.run(configure, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if entry["file"].endswith(".cu"):
            yield Path(entry["file"]), shlex.split(entry["command"])


def resources_of(source, command):
    """One dict per kernel and architecture."""
    command[command.index("-o") + 1] = "/dev/null"
    report = subprocess.run([*command, "-Xptxas=-v"], cwd=BUILD, capture_output=True, text=True)
    if report.returncode != 0:
        raise SystemExit(f"{source}: {report.stderr}")
    found = [match.groupdict() for match in ENTRY.finditer(report.stderr)]
    if report.stderr.count("Compiling entry function") != len(found):
        raise SystemExit(f"{source}: ptxas's report is not understood:\n{report.stderr}")
    for kernel in found:
        shared = re.search(r"(\d+) bytes smem", kernel["rest"])
        kernel["shared"] = shared.group(1) if shared else "0"
        kernel["source"] = source.name
    return found


def demangled(names):
    """Names of kernels without namespaces and parameter lists."""
    done = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True)
    short = []
    for name in done.stdout.splitlines():
        name = name.replace("(anonymous namespace)::", "").replace("sparsepush::", "").removeprefix("void ")
        short.append(re.sub(r"\(.*", "", name.split(">(")[0] + ">" if ">(" in name else name))
    return dict(zip(names, short))


def table_of(kernels):
    architectures = sorted({kernel["architecture"] for kernel in kernels})
    names = demangled(sorted({kernel["kernel"] for kernel in kernels}))
    rows = {}
    for kernel in kernels:
        row = rows.setdefault((kernel["source"], names[kernel["kernel"]]), {})
        row[kernel["architecture"]] = kernel
    lines = ["| source | kernel | " + " | ".join(f"{a}: registers, static shared, stack, spilled (bytes)"
                                                 for a in architectures) + " |"]
    lines.append("|---" * (2 + len(architectures)) + "|")
    for (source, name), row in sorted(rows.items()):
        if name.startswith("cub::"):
            continue
        cells = [f"{k['registers']}, {k['shared']}, {k['stack']}, {int(k['stores']) + int(k['loads'])}"
                 for k in (row[a] for a in architectures)]
        lines.append(f"| {source} | `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spilling(kernels):
    return sorted({f"{k['source']}: {k['kernel']} on {k['architecture']}" for k in kernels
                   if int(k["stores"]) + int(k["loads"]) > 0})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the table is not up to date")
    options = parser.parse_args()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        kernels = sum(pool.map(lambda command: resources_of(*command), compile_commands()), [])
    text = README.read_text()
    before, rest = text.split(BEGIN)
    updated = f"{before}{BEGIN}\n{table_of(kernels)}\n{END}{rest.split(END)[1]}"
    if options.check and updated != text:
        sys.exit("bench/README.md: the table of kernels is not up to date; run scripts/kernel_resources.py")
    if not options.check:
        README.write_text(updated)
        print(f"{len(kernels)} kernels and architectures: bench/README.md")
    if spills := spilling(kernels):
        sys.exit("kernels that spill registers:\n" + "\n".join(spills))


if __name__ == "__main__":
    main()
