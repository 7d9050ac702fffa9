#!/usr/bin/env python3
"""Breaks each kernel in small ways and records which the tests notice, in tests/simt/mutants.csv.

A mutant lacks one barrier or wait for copies, or has one operator changed, in the device code of a .cu of kernels/ or of
a header that such files include: a comparison to its opposite and, where there is one, by its border (`<` to `>=` and to
`<=`), a logical or an additive operator to the other one. In the host's code that plans rounds or exchanges messages a mutant
lacks one wait for an event, of the GPU or of the host. It is compiled for the simulator, with AddressSanitizer, and linked with the
tests of its ops; it counts as caught if one fails or hangs.
With --minutes, mutants that are left when the time is up are not tried, and are missing in the table until they are.
Mutants that stand in the table already, with the hash of their file's device code, are not run again. A survivor needs a reason in the table's last column;
the exit code is 1 where one lacks it, or where not all waits, 95 % of the barriers and 90 % of the others are caught (most
survivors are loops that turn once more without work, and hints that results do not depend on).
"""
import argparse
import collections
import csv
import hashlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests/simt/mutants.csv"
COLUMNS = ["file", "hash", "kind", "line", "mutant", "caught", "reason"]
SANITIZE = "-fsanitize=address"
SECTIONS = "-fsanitize-sections=simt_shared"
COMPILE = ["g++", SANITIZE, SECTIONS, "-std=c++20", "-O0", "-ffp-contract=off", "-DSPARSEPUSH_SIMULATED_CUDA=1",
           f"-I{ROOT}/tests/simt", "-x", "c++", "-c"]
LIBRARIES = ["-lgtest", "-lgtest_main", "-lboost_context", "-lfmt", "-ltomlplusplus", "-lopenblas", "-ldnnl", "-lgomp",
             "-lpthread", "-lz"]
CHANGES = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
           "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",)}
BARRIER = re.compile(r"(__sync(threads|warp)\([^)]*\)|(?<!void )wait_for_copies\(\));")
WAIT = re.compile(r"((?<!\w )wait_for|[\w.]+\.order)\([^;{]*\);")  # a call, no declaration
WAITING = [ROOT / "host/rounds/round_plan.cpp", ROOT / "host/ranks/nccl_transport.cpp"]
OPERATOR = re.compile(r"(?<= )(<=|>=|==|!=|&&|\|\||<|>|\+|-)(?= )")  # as formatted: templates and shifts have no such spaces
# Files whose tests have another stem.
OTHER_TEST = {"normalize_forward": "normalize", "normalize_backward": "normalize", "cudnn_filters": "cudnn_convolution"} | dict.fromkeys(
    ["tensor_gradient", "tensor_few_channels_forward", "tensor_few_channels_gradient", "tensor_sums"], "tensor_convolution")
# Ops whose tests look at a file besides those of its own stem.
MORE_TESTS = {"traffic": ["wire_size"], "topk_select": ["update_select", "warm_selection"], "update_select": ["warm_selection"],
              "conv2d": ["conv2d_hard_values"], "tensor_convolution": ["tensor_moments", "norm_on_load", "norm_gradient"], "tensor_gradient": ["norm_on_load"],
              "tensor_few_channels_forward": ["tensor_moments"], "normalize_forward": ["normalize_refusals", "tile_moments", "norm_terms"],
              "normalize_backward": ["normalize_refusals", "norm_terms", "gradient_sums"]}
STARTED = time.monotonic()
HANGS = 30  # seconds of a processor after which a test's program does, at most; other programs' load does not count
limits = {}  # by test: twice what it took without any change, which is its first run


def device_lines(text):
    """Numbers of the lines, from 0, within functions that run on the device."""
    end, lines = None, set()
    for number, line in enumerate(text.splitlines()):
        start = re.match(r"( *)(__global__|__device__)", line)
        if start and end is None:
            end = start[1] + "}"
        if end is not None:
            lines.add(number)
        if line == end or (start and line.endswith("}")):
            end = None
    return lines


def digest_of(text):
    """Of what mutants are made from: the device code, or all where there is none; comments do not count."""
    device = device_lines(text)
    lines = [line.split("//")[0].rstrip() for number, line in enumerate(text.splitlines()) if not device or number in device]
    return hashlib.sha256("\n".join(line for line in lines if line and not line.startswith("#include")).encode()).hexdigest()[:16]


def numbered(names):
    """Each name with how many of the same stand before it."""
    seen = collections.Counter()
    for name in names:
        yield name, seen[name]
        seen[name] += 1


def mutants_of(text):
    """(kind, line number from 1, description, mutated text) of every mutant."""
    lines = text.splitlines(keepends=True)
    device = device_lines(text)
    for number in range(len(lines)):
        line = lines[number].split("//")[0]
        if "static_assert" in line:
            continue
        patterns = (("barrier", BARRIER), ("operator", OPERATOR)) if number in device else (("wait", WAIT),)
        for kind, pattern in patterns:
            for i, match in enumerate(pattern.finditer(line)):
                for changed in CHANGES.get(match[0], (";",)):
                    mutated = line[: match.start()] + changed + line[match.end() :].rstrip("\n") + "\n"
                    name = f"{line.strip()} -- {match[0]} becomes {changed}" + (f" ({i + 1})" if i else "")
                    yield kind, number + 1, name, "".join(lines[:number] + [mutated] + lines[number + 1 :])


def tests_of(source):
    return [OTHER_TEST.get(source.stem, source.stem), *MORE_TESTS.get(source.stem, [])]


def has_test(source):
    return any((ROOT / "tests").rglob(f"{tests_of(source)[0]}_test.cpp"))


def users_of(source):
    """The files whose tests try `source`: itself, or those with a test that include the header, those that include it
    through another one last; small files first, which compile faster."""
    if source.suffix in (".cu", ".cpp"):
        return [source]
    def including(pattern):
        return [file for file in sorted((ROOT / "kernels").rglob(pattern), key=lambda file: (file.stat().st_size, file))
                if f'#include "{source.relative_to(ROOT)}"' in file.read_text()]
    users = [file for file in including("*.cu") if has_test(file)]
    through = sorted({user for header in including("*.h") for user in users_of(header)})
    return users + [user for user in through if user not in users]


def is_caught(source, text, build):
    """Whether a test fails with `text` in the place of source's."""
    return any(fails(user, source, text, build) for user in users_of(source))


def fails(user, source, text, build):
    """Whether a test of user's does."""
    with tempfile.TemporaryDirectory() as folder:
        mutant = Path(folder) / "mutant.cu"
        mutant.write_text(user.read_text())
        changed = mutant if source == user else Path(folder) / source.relative_to(ROOT)  # found first by #include
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text(text)
        compiled = subprocess.run([*COMPILE, f"-I{folder}", f"-I{ROOT}", mutant, "-o", f"{folder}/mutant.o"],
                                  capture_output=True)
        if compiled.returncode != 0:
            return True
        return any(program_fails(f"{test}_test", folder, build) for test in tests_of(user))


def program_fails(name, folder, build):
    """Whether the test program `name` does, linked with the mutant."""
    program = f"{folder}/{name}"
    test = max(Path(f"{build}/tests/CMakeFiles/{name}.dir").rglob(f"{name}.cpp.o"), key=lambda file: file.stat().st_mtime)
    ours = [f"{build}/tests/simt/libsparsepush_simulated_cuda_archive.a", *Path(build).glob("libsparsepush_*.a")]
    stand_in = [next(Path(build).rglob("nccl_stand_in.cpp.o"))] if name == "nccl_transport_test" else []
    subprocess.run(["g++", SANITIZE, test, f"{folder}/mutant.o", *stand_in, "-Wl,--start-group", *ours, "-Wl,--end-group",
                    *LIBRARIES, "-o", program], check=True)
    limit, before = limits.get(name, HANGS), seconds_of_children()
    run = subprocess.run([program, "--gtest_filter=*On/1.*:CudnnConvolutionOn/0.*:NcclTransportTest.*", "--gtest_fail_fast", "--gtest_throw_on_failure"], capture_output=True,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)))
    limits.setdefault(name, min(HANGS, 2 + int(2 * (seconds_of_children() - before))))
    return run.returncode != 0


def seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def is_late(arguments):
    """Whether the time for mutants is up."""
    return arguments.minutes is not None and time.monotonic() - STARTED > 60 * arguments.minutes


def rows_of(source, known, arguments):
    """The table's rows of one kernel file, from `known` ones of mutants that were run."""
    text, file = source.read_text(), str(source.relative_to(ROOT))
    digest = digest_of(text)
    old = [row for row in known if row["file"] == file]
    if arguments.stems and source.stem not in arguments.stems:
        return old
    mutants = list(mutants_of(text))
    tried = [row for row in old if row["hash"] == digest]
    caught = dict(zip(numbered(row["mutant"] for row in tried), (row["caught"] for row in tried)))
    keys = list(numbered(name for _, _, name, _ in mutants))
    untried = [(key, mutant) for key, mutant in zip(keys, mutants) if key not in caught]
    if untried and is_late(arguments):
        print(f"{file}: {len(untried)} mutants not tried")
        return tried or old
    if untried and is_caught(source, text, arguments.build):
        raise SystemExit(f"{file}: the test fails without any change")
    with ThreadPoolExecutor(arguments.jobs) as pool:
        attempt = lambda m: None if is_late(arguments) else is_caught(source, m[1][3], arguments.build)
        for (key, _), hit in zip(untried, pool.map(attempt, untried)):
            if hit is not None:
                caught[key] = "yes" if hit else "no"
    if len(caught) < len(mutants):
        print(f"{file}: {len(mutants) - len(caught)} mutants not tried")
    reasons = {row["mutant"]: row["reason"] for row in old if row["reason"]}  # of lines that stand twice, one may
    rows = [(file, digest, kind, line, name, caught[key]) for key, (kind, line, name, _) in zip(keys, mutants)
            if key in caught]
    return [dict(zip(COLUMNS, (*row, reasons.get(row[4], "") if row[5] == "no" else ""))) for row in rows]


def write_table(rows):
    with TABLE.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def share_caught(rows, kind):
    chosen = [row["caught"] == "yes" for row in rows if row["kind"] == kind]
    print(f"{kind}: {sum(chosen)} of {len(chosen)} mutants caught")
    return sum(chosen) / max(1, len(chosen)) if chosen else 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stems", nargs="*", help="look at these files only, such as push_sum_mix")
    parser.add_argument("--build", default=ROOT / "build/cpu", help="folder of the built tests")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="after which no more mutants are tried")
    arguments = parser.parse_args()
    known = list(csv.DictReader(TABLE.open(newline=""))) if TABLE.exists() else []
    sources = [file for pattern in ("*.cu", "*.h") for file in sorted((ROOT / "kernels").rglob(pattern)) if users_of(file)]
    sources += WAITING
    rows = []
    for number, source in enumerate(sources):
        rows += rows_of(source, known, arguments)
        files = {str(other.relative_to(ROOT)) for other in sources[number + 1 :]}
        write_table(rows + [row for row in known if row["file"] in files])  # so that a stopped run loses one file only
    unexplained = [row for row in rows if row["caught"] == "no" and not row["reason"]]
    for row in unexplained:
        print(f"{row['file']}:{row['line']}: survived without a reason: {row['mutant']}")
    least = {"wait": 1, "barrier": 0.95, "operator": 0.9}
    enough = all([share_caught(rows, kind) >= share for kind, share in least.items()])
    sys.exit(0 if enough and not unexplained else 1)


if __name__ == "__main__":
    main()
