#!/usr/bin/env python3
"""Registers, shared memory and spills of every CUDA kernel of ours, as ptxas reports them for each architecture, written as a
table to bench/results/kernel_resources.md. Needs nvcc, no GPU. Fails if a kernel
  spills registers,
  holds `trap` in its PTX: nvcc gave up there, as where device code refers to a constant that has no address,
  stores nothing in its PTX: nvcc dropped what it should have done,
  needs more registers than a multiprocessor has for the largest block that it may be launched with,
  of the tensor cores has local memory, no matrix product or, but for those of few channels, no copy of 16 bytes that goes on
    beside it.

usage: scripts/kernel_resources.py [--check] [FILE...]; --check changes nothing and fails if the table is not up to date;
FILE: only the faults of these CUDA sources.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import ptx

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "kernel_resources"
PTX = BUILD / "ptx"
RESULTS = ROOT / "bench" / "results" / "kernel_resources.md"
REGISTERS = 65536  # of a multiprocessor, since sm_50
ON_TENSOR_CORES = re.compile(r"(tensor_(convolution|gradient)|few_channels_(forward|gradient))_kernel")
HEADER = """# Registers and shared memory of the kernels

As ptxas reports them; `scripts/kernel_resources.py` (nvcc, no GPU) writes this file. It fails if a kernel spills, if its
PTX holds a trap or stores nothing (nvcc gave up, or dropped what it should have done), if a multiprocessor has too few
registers for its largest block, or if one of the tensor cores has local memory, no `mma.sync` or, but for those of few
channels, no `cp.async` of 16 bytes. Shared memory that a launch asks for is not in the table.

"""

ENTRY = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '(?P<architecture>sm_\d+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


def configure():
    """A build folder of the preset `cuda` whose compilations tell what ptxas made and keep their PTX."""
    PTX.mkdir(parents=True, exist_ok=True)
    flags = f"-DCMAKE_CUDA_FLAGS=-Xptxas=-v --keep --keep-dir={PTX}"
    command = ["cmake", "--preset", "cuda", "-B", BUILD, flags, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
               "--log-level=WARNING"]
    subprocess.run(command, check=True, cwd=ROOT, env=ptx.ENVIRONMENT, stdout=subprocess.DEVNULL)


def build_all():
    """Builds all CUDA sources anew; yields (source, what ptxas reports)."""
    command = ["cmake", "--build", BUILD, "--clean-first", "--target", "sparsepush_cuda"]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0:
        raise SystemExit(built.stdout + built.stderr)
    heading = re.compile(r"^\[\d+/\d+\] Building CUDA object \S*sparsepush_cuda\.dir/(\S+)\.o\n", re.MULTILINE)
    parts = heading.split(built.stdout)
    yield from ((Path(source), report) for source, report in zip(parts[1::2], parts[2::2]))


def build_one(source):
    """The same of a source that need not be one of the project's."""
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    command = shlex.split(next(entry["command"] for entry in entries if entry["file"].endswith(".cu")))
    command = [str(source.resolve()) if part.endswith(".cu") else part for part in command]
    command[command.index("-o") + 1] = "/dev/null"
    built = subprocess.run(command, cwd=BUILD, capture_output=True, text=True)
    if built.returncode != 0:
        raise SystemExit(f"{source}: {built.stderr}")
    return source, built.stderr


def resources_of(source, report):
    """One dict per kernel and architecture."""
    found = [match.groupdict() for match in ENTRY.finditer(report)]
    if report.count("Compiling entry function") != len(found):
        raise SystemExit(f"{source}: ptxas's report is not understood:\n{report}")
    texts = [file.read_text() for file in PTX.glob(f"{source.stem}.*ptx")]
    by_architecture = {re.search(r"\.target (sm_\d+)", text)[1]: text for text in texts}
    for kernel in found:
        shared = re.search(r"(\d+) bytes smem", kernel["rest"])
        kernel["shared"] = shared.group(1) if shared else "0"
        kernel["source"] = source.name
        kernel["faults"] = faults_of(kernel, by_architecture[kernel["architecture"]])
    return found


def short_name(name):
    """That of a kernel, without namespaces and parameter list."""
    name = name.replace("(anonymous namespace)::", "").replace("sparsepush::", "").removeprefix("void ")
    name = re.sub(r"\(\w+\)(?=\d)", "", name)  # the type of an enumerator
    return re.sub(r"\(.*", "", name.split(">(")[0] + ">" if ">(" in name else name)


def short_names(kernels):
    """{mangled name: short one}"""
    return {mangled: short_name(name) for mangled, name in ptx.demangled({k["kernel"] for k in kernels}).items()}


def table_of(kernels):
    architectures = sorted({kernel["architecture"] for kernel in kernels})
    names = short_names(kernels)
    rows = {}
    for kernel in kernels:
        row = rows.setdefault((kernel["source"], names[kernel["kernel"]]), {})
        row[kernel["architecture"]] = kernel
    lines = ["| source | kernel | " + " | ".join(f"{a}: registers, static shared, stack, spilled (bytes)"
                                                 for a in architectures) + " |"]
    lines.append("|---" * (2 + len(architectures)) + "|")
    for (source, name), row in sorted(rows.items()):
        if not ptx.is_ours(next(iter(row.values()))["kernel"]):
            continue
        cells = [f"{k['registers']}, {k['shared']}, {k['stack']}, {int(k['stores']) + int(k['loads'])}"
                 for k in (row[a] for a in architectures)]
        lines.append(f"| {source} | `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def faults_of(kernel, text):
    """What is wrong with a kernel of ours; CUB has empty ones on purpose."""
    functions = ptx.functions(text)
    entry = next(function for function in functions if function.is_kernel and function.name == kernel["kernel"])
    if not ptx.is_ours(entry.name):
        return []
    reached = ptx.reached(functions, entry)
    registers_of_block = -(-int(kernel["registers"]) // 8) * 8 * entry.most_threads
    checks = {
        "spills registers": int(kernel["stores"]) + int(kernel["loads"]) > 0,
        "holds a trap": any(function.traps for function in reached),
        "stores nothing": not any(function.stores for function in reached),
        f"has no room for blocks of {entry.most_threads} threads": registers_of_block > REGISTERS,
    }
    if ON_TENSOR_CORES.search(entry.name):
        checks |= {
            "has local memory": int(kernel["stack"]) > 0,
            "has no product on tensor cores": not entry.products,
            "has no asynchronous copy of 16 bytes": not entry.copies and "few_channels" not in entry.name,
        }
    return [fault for fault, found in checks.items() if found]


def end_with_faults(kernels):
    names = short_names(kernels)
    faults = [f"{k['source']}: {names[k['kernel']]} {fault} on {k['architecture']}" for k in kernels for fault in k["faults"]]
    print(*faults, f"{len(kernels)} kernels and architectures, {len(faults)} faults", sep="\n")
    sys.exit(1 if faults else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the table is not up to date")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="report only what is wrong with these")
    options = parser.parse_args()
    configure()
    if options.files:
        end_with_faults(sum((resources_of(*build_one(file)) for file in options.files), []))
    kernels = sum((resources_of(*built) for built in build_all()), [])
    text = HEADER + table_of(kernels) + "\n"
    if not options.check:
        RESULTS.write_text(text)
    elif RESULTS.read_text() != text:
        sys.exit(f"{RESULTS.relative_to(ROOT)} is not up to date; run scripts/kernel_resources.py")
    end_with_faults(kernels)


if __name__ == "__main__":
    main()
