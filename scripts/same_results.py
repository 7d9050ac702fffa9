#!/usr/bin/python3
"""Whether two builds of the program do the same: same bytes of results, same words, same exit codes.

usage: same_results.py BEFORE AFTER [--only NAME...] [--allow REGEX...] [--times]. BEFORE and AFTER are folders with
`sparsepush` and perhaps `sparsepush_simulated`, the program with the simulated Cuda backend. Runs every case of
same_results_cases.py with both (about a minute on two cores), prints where they differ and exits with 1 if they do.
Lines that changed on purpose are named in ALLOWED or with --allow; they are printed but do not count. vgg11 is planned
only: a test of 10,000 images takes it minutes.
"""

import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from same_results_cases import bad_cases, good_cases, prepare, write_inputs  # noqa: E402
from program import read_safetensors  # noqa: E402, found by same_results_cases

# Differences that are wanted: (name of a case, what the line of the report matches, why), both as regular expressions.
ALLOWED = (
    ("", r"^[-+] plan: .* [kMGT]?B$", "memory as planned, by array"),
    ("too large for memory", r"^[-+] run: the run needs [\d.]+ TB of memory, # available: x ", "the same in an error"),
)

LINES_PER_CASE = 5  # of the report
# What differs between two runs of one program.
VARYING = (
    (r"\d[\d.e+]* steps/s(, \S+ left)?", "# steps/s"),
    (r"[\d.]+ \w+ (is|are) available", "# available"),
    (r'"seconds": [\d.e+-]+', '"seconds": #'),
    (r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", ""),
)


def without_times(text):
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text


def run_case(program, backend, case, folder):
    """What a user sees of the case's commands, and the exit code of the last one."""
    folder.mkdir(parents=True)
    prepare(folder, case)
    seen, code = [], 0
    for command in case.commands:
        if callable(command):
            command(folder)
            continue
        arguments = shlex.split(command)
        if backend == "cuda" and arguments[:1] in (["run"], ["plan"]):
            arguments += ["--backend", "cuda"]
        done = subprocess.run(["sparsepush", *arguments], executable=program, cwd=folder, capture_output=True,
                              text=True, errors="replace", timeout=300)
        code = done.returncode
        seen.append(f"$ sparsepush {command}")
        said = without_times(done.stdout).splitlines() + without_times(done.stderr).splitlines()
        seen += [f"{arguments[0] if arguments else ''}: {line}" for line in said]
        seen.append(f"exit code {code}")
    return seen, code


def changed_lines(before, after):
    """The lines that only one of two lists has, as "- line" and "+ line"."""
    lines = difflib.ndiff(before, after, linejunk=None, charjunk=None)
    return [line for line in lines if line[:2] in ("- ", "+ ")]


def compare_tensors(before, after):
    """Differences of two safetensors files; the first tensor that differs is named."""
    try:
        (first, metadata), (second, other_metadata) = read_safetensors(before), read_safetensors(after)
    except (ValueError, KeyError, OSError):  # damaged on purpose
        return ["other bytes"]
    found = [f"tensor {name}: missing AFTER" for name in first if name not in second]
    found += [f"tensor {name}: missing BEFORE" for name in second if name not in first]
    for key in sorted(set(metadata) | set(other_metadata)):
        if metadata.get(key) != other_metadata.get(key):
            found.append(f"metadata {key}: {metadata.get(key)!s:.70} became {other_metadata.get(key)!s:.70}")
    for name in (name for name in first if name in second):
        a, b = first[name], second[name]
        if (a.shape, a.dtype, a.tobytes()) != (b.shape, b.dtype, b.tobytes()):
            what = f"{(a != b).sum()} of {a.size} elements" if a.shape == b.shape else f"{a.shape} became {b.shape}"
            return [*found, f"tensor {name}: first that differs, {what}"]
    return found or ["other order or header"]


def compare_files(name, before, after):
    if before.read_bytes() == after.read_bytes():
        return []
    if before.suffix == ".safetensors":
        return compare_tensors(before, after)
    texts = [without_times(path.read_text(errors="replace")).splitlines() for path in (before, after)]
    if name.endswith("timing.csv"):  # steps, seconds
        texts = [[line.split(",")[0] for line in text] for text in texts]
    return changed_lines(*texts)


def compare_folders(before, after):
    """Differences between all files below two folders."""
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
             for folder in (before, after)]
    found = [f"{name}: only {'BEFORE' if name in names[0] else 'AFTER'}" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        found += [f"{name}: {difference}" for difference in compare_files(name, before / name, after / name)]
    return found


def compare_case(programs, backend, case, folder):
    """The differences between two programs on one case, and the seconds of the first."""
    begin = time.monotonic()
    before, code = run_case(programs[0], backend, case, folder / "before" / "case")
    seconds = time.monotonic() - begin
    if (code != 0) != case.fails:
        return [f"BEFORE does not do what the case is for: {' | '.join(before[-3:])}"], seconds
    after, _ = run_case(programs[1], backend, case, folder / "after" / "case")
    return changed_lines(before, after) + compare_folders(folder / "before", folder / "after"), seconds


def report(name, differences, allowed, wanted):
    """Prints what differs in a case and counts; adds the rest to `wanted`. Whether there is anything that counts."""
    unwanted = []
    for line in differences:
        reason = next((why for of_case, pattern, why in allowed if re.search(of_case, name) and
                       re.search(pattern, line)), None)
        if reason is None:
            unwanted.append(line)
        else:
            wanted.setdefault(reason, []).append(f"{name}: {line}")
    for line in unwanted[:LINES_PER_CASE]:
        print(f"{name}: {line:.300}")
    if len(unwanted) > LINES_PER_CASE:
        print(f"{name}: and {len(unwanted) - LINES_PER_CASE} more")
    return bool(unwanted)


def jobs_of(builds, names):
    """What is to be compared: (case, backend, the two programs)."""
    jobs = []
    for backend, program in (("cpu", "sparsepush"), ("cuda", "sparsepush_simulated")):
        programs = [os.path.abspath(build / program) for build in builds]
        if all(os.access(path, os.X_OK) for path in programs):
            jobs += [(case, backend, programs) for case in good_cases() + bad_cases()
                     if (backend == "cpu" or case.cuda) and (not names or case.name in names)]
        else:
            print(f"{program} is not in both folders: not compared")
    return jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these cases")
    parser.add_argument("--allow", nargs="+", default=[], metavar="REGEX", help="lines of the report that do not count")
    parser.add_argument("--times", action="store_true", help="print the seconds of each case")
    options = parser.parse_args()
    allowed = ALLOWED + tuple(("", pattern, f"--allow {pattern}") for pattern in options.allow)
    jobs = jobs_of((options.before, options.after), options.only)
    if not jobs:
        sys.exit("nothing to compare: no program in both folders, or no case of that name")
    with tempfile.TemporaryDirectory(prefix="same_results_") as temporary:
        root = Path(temporary)
        (root / "inputs").mkdir()
        write_inputs(root / "inputs", [case for case, _, _ in jobs])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compared = list(pool.map(lambda job: compare_case(job[1][2], job[1][1], job[1][0], root / str(job[0])),
                                     enumerate(jobs)))
    different, wanted = 0, {}
    for (case, backend, _), (differences, seconds) in zip(jobs, compared):
        if options.times:
            print(f"{case.name} ({backend}): {seconds:.2f} s")
        different += report(f"{case.name} ({backend})", differences, allowed, wanted)
    for reason, lines in wanted.items():
        print(f"allowed, {reason}: {len(lines)} lines, first {lines[0]:.150}")
    print(f"{len(jobs)} cases compared, {different} differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
