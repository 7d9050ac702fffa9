#!/usr/bin/env python3
"""Reads what runs on a GPU against the list of what it may call of the host's standard library.

nvcc compiles a constexpr function of the host for the device too and says nothing where that goes wrong: what the
function calls in its turn (a builtin of GCC, a function without constexpr, throw) becomes a call of address 0, and a
reference to a constant of a namespace becomes address 0; both are then optimized away with all that depends on them.
GCC's library does so inside of std::lower_bound, std::copy_n and others, and g++, with which the simulator compiles, sees
none of it.

Without options: every .cu of kernels/ and every header of ours that one includes, as text; needs no nvcc.
--compiled: compiles them with nvcc for debugging, where nothing is inlined, and reads each call in the PTX instead: what
our functions call must stand in the list, and no function may call an address. Needs nvcc, no GPU.
With FILE...: these instead.

usage: scripts/device_code.py [--compiled] [FILE...]
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ptx

ROOT = Path(__file__).resolve().parent.parent

# What device code may name of namespace std, and why nvcc compiles it rightly.
ALLOWED = {
    "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t size_t byte": "types",
    "true_type false_type integral_constant is_same_v conditional_t": "types",
    "array span ssize": "indexing, iterating, size, data and subspan are a few lines of arithmetic without builtins",
    "min max": "return one of their arguments; not of a named constant, which has no address",
    "bit_cast": "a builtin that nvcc knows",
    "is_constant_evaluated": "a builtin that nvcc knows; span's assertions ask it",
    "floor fma sqrt log": "CUDA has overloads",
    "numeric_limits": "as the value of a constant, which the compiler computes",
}
NAMES = {name for names in ALLOWED for name in names.split()}
# What a function for both sides may not do: on the device it would be a call of address 0.
HOST_ONLY = re.compile(r"\b(throw|new|delete|CHECK|assert|printf|__builtin_\w+)\b")
START = re.compile(r"\b(__global__|__device__|constexpr)\b")
INCLUDE = re.compile(r'^#include "(kernels/[^"]+)"', re.MULTILINE)


def without_comments(text):
    """Comments and the contents of strings blanked, so that places stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def matching(text, start):
    """Index behind the brace that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
    return len(text)


def device_functions(text):
    """(begin, end) of every function that can run on a device: marked so, or constexpr."""
    end = 0
    for match in START.finditer(text):
        if match.start() < end or re.search(r"\bif\s*$", text[:match.start()]):
            continue
        i, depth, parameters = match.end(), 0, False
        while i < len(text):  # up to the body, if it is a function that has one here
            if text[i] == "(":
                depth += 1
            elif text[i] == ")":
                depth -= 1
                parameters = True
            elif depth == 0 and (text[i] == ";" or (text[i] == "=" and not parameters)):
                break
            elif depth == 0 and text[i] == "{":
                if not parameters:
                    break
                end = matching(text, i)
                while re.match(r"\s*[,{]", text[end:]):  # `{` of a member's initializer, not yet the body
                    end = matching(text, text.index("{", end))
                yield match.start(), end
                break
            i += 1


def faults_in_function(body):
    """(place, what) of what the function may not name."""
    for match in re.finditer(r"\bstd::(?:\w+::)*(\w+)", body):
        name = re.match(r"std::(\w+)", match[0])[1]
        if name not in NAMES:
            yield match.start(), f"{match[0]} is not in the list of what device code may call"
    for match in HOST_ONLY.finditer(body):
        yield match.start(), f"{match[0]} in a function that can run on a device"
    local = set(re.findall(r"\bconstexpr\s+[\w:<>]+\s+(k[A-Z]\w*)", body))
    for match in re.finditer(r"\bstd::(?:min|max)\b(?:<[^>]*>)?\(", body):
        for constant in re.findall(r"(?<=[(,])\s*(k[A-Z]\w*)\s*(?=[,)])", body[match.end() - 1:body.find(";", match.end())]):
            if constant not in local:
                yield match.start(), f"a reference to {constant}, which has no address on a device; +{constant} has a value"


def faults_in_text(text):
    """(line, what) of everything in a source that may not be there."""
    text = without_comments(text)
    faults = [(match.start(), f"{match[0]}: device code names the library in full")
              for match in re.finditer(r"\busing\s+(?:namespace\s+)?std\b[\w:]*", text)]
    for begin, end in device_functions(text):
        faults += [(begin + place, what) for place, what in faults_in_function(text[begin:end])]
    return sorted({(text.count("\n", 0, place) + 1, what) for place, what in faults})


def sources_with_headers(sources):
    """The sources and the headers of ours that they include, also through others."""
    found, left = [], list(sources)
    while left:
        file = left.pop()
        if file in found:
            continue
        found.append(file)
        left += [header for name in INCLUDE.findall(file.read_text()) if (header := ROOT / name).exists()]
    return sorted(found)


def read_text(sources):
    for file in sources_with_headers(sources):
        for line, what in faults_in_text(file.read_text()):
            yield f"{name_of(file)}:{line}: {what}"


def library_name(mangled):
    """The function, or the class of it, where it is of namespace std; else None."""
    match = re.match(r"_Z(?:NK?)?St(\d+)(\w+)", mangled)
    return match[2][:int(match[1])] if match else None


def faults_in_calls(text):
    """What each function of ours calls in debugging PTX and may not; which function calls an address."""
    functions = ptx.functions(text)
    names = ptx.demangled({function.name for function in functions} | {call for f in functions for call in f.calls})
    for function in functions:
        if function.calls_address:
            yield f"{names[function.name]} calls what the device does not have"
        if library_name(function.name) or not ptx.is_ours(function.name):
            continue
        for call in function.calls:
            if (name := library_name(call)) is not None and name.strip("_") not in NAMES:
                yield f"{names[function.name]} calls {names[call]}"


def debugging_ptx(source):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "debug.ptx"
        command = ["nvcc", "-G", "-ptx", "-arch=compute_90", "-std=c++20", "--expt-relaxed-constexpr", "-fmad=false",
                   "-Xcudafe", "--diag_suppress=20011", f"-I{ROOT}", "-o", output, source]
        done = subprocess.run(command, capture_output=True, text=True, env=ptx.ENVIRONMENT)
        if done.returncode != 0:
            sys.exit(f"{source}: {done.stderr}")
        return output.read_text()


def read_compiled(sources):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, text in zip(sources, pool.map(debugging_ptx, sources)):
            for fault in sorted(set(faults_in_calls(text))):
                yield f"{name_of(source)}: {fault}"


def name_of(file):
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiled", action="store_true", help="read what nvcc makes of the sources")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    options = parser.parse_args()
    sources = sorted(file.resolve() for file in options.files or (ROOT / "kernels").rglob("*.cu"))
    faults = list((read_compiled if options.compiled else read_text)(sources))
    print(*faults, f"{len(sources)} CUDA sources, {len(faults)} faults", sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
