#!/usr/bin/env python3
"""Joins the pieces of a part of scripts/gpu_check.sh into one JSON file; prints the beginnings of failures and a table.
Exits 1 if a piece failed.

usage: gpu_check_table.py FOLDER RESULT. The folder has, for every piece, NAME.json (how it ended), NAME.log (what it
printed) and perhaps NAME.data.json (Google Test's report, gossip_bench's or a baseline's).
"""

import json
import re
import sys
from pathlib import Path

LINES_SAVED, LINES_SHOWN = 200, 20  # of a failed piece's log
FIRST_FAILURE = re.compile(r": Failure$|^(FAIL|ERROR): |^========= [^C]", re.MULTILINE)  # Google Test, unittest, sanitizer


def test_counts(piece):
    """Of Google Test or unittest: tests that ran, that failed, that were skipped; None of what is no test."""
    if "testsuites" in piece.get("data", {}):
        tests = [test for suite in piece["data"]["testsuites"] for test in suite["testsuite"]]
        failed = sum("failures" in test for test in tests)
        skipped = sum(test.get("result") == "SKIPPED" for test in tests)
        return len(tests) - skipped, failed, skipped
    if ran := re.search(r"^Ran (\d+) tests? in", piece["log"], re.MULTILINE):
        failed = set(re.findall(r"^(?:FAIL|ERROR): (\S+ \S+)", piece["log"], re.MULTILINE))  # once for all its subtests
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", piece["log"][ran.end():]))
        return int(ran[1]) - skipped, len(failed), skipped
    return None


def outcome(piece):
    """(passed, short text) of a piece."""
    data, counts = piece.get("data", {}), piece["tests"]
    if said := re.match("not run: .*", piece["log"]):
        return True, said[0]
    text = ""
    if counts:
        ran, failed, skipped = counts
        text = f"{ran} tests" + (f", {failed} failed" if failed else "") + (f", {skipped} skipped" if skipped else "")
    if piece["exit_code"] != 0:
        exit_code = {124: "timed out", 77: "no GPU"}.get(piece["exit_code"], f"exit code {piece['exit_code']}")
        return False, f"{exit_code}, {text}" if text else exit_code
    if counts:
        return failed == 0 and (ran > 0 or skipped == 0), text
    if "cases" in data:
        fractions = [case["fraction_of_copy"] for case in data["cases"] if "fraction_of_copy" in case]
        text = f"{len(data['cases'])} cases"
        return True, text + (f", {min(fractions):.2f} to {max(fractions):.2f} of best copy" if fractions else "")
    if "benchmarks" in data:
        return True, ", ".join(of_benchmark(run) for run in data["benchmarks"])
    if "ways" in data:
        return True, ", ".join(f"{way} {run['images_per_s']:.0f} images/s, {run['over_ours']:.2f} times the time of ours"
                               for way, run in data["ways"].items())
    if "ns_per_param" in data:
        return True, ", ".join(f"{name} {ns:.4f}" for name, ns in data["ns_per_param"].items()) + " ns/param"
    return True, ""


def of_benchmark(run):
    """Name and time of one of Google Benchmark's, and images a second where it counts them."""
    images = f" ({run['images']:.0f} images/s)" if "images" in run else ""
    return f"{run['name'].split('/real')[0]} {run['real_time']:.3f} ms{images}"


def from_first_failure(log):
    """At most LINES_SAVED lines: from the first failure that the log names, or the last ones."""
    if found := FIRST_FAILURE.search(log):
        begin = log.rfind("\n", 0, found.start()) + 1
        return "\n".join(log[begin:].splitlines()[:LINES_SAVED])
    return "\n".join(log.splitlines()[-LINES_SHOWN:])


def read_pieces(folder):
    pieces = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        if path.name.endswith(".data.json"):
            continue
        piece = json.loads(path.read_text())
        data = path.with_suffix(".data.json")
        if data.exists() and data.stat().st_size > 0:
            piece["data"] = json.loads(data.read_text())
        piece["log"] = path.with_suffix(".log").read_text(errors="replace")
        piece["tests"] = test_counts(piece)
        piece["passed"], piece["outcome"] = outcome(piece)
        if not piece["passed"]:
            piece["log"] = from_first_failure(piece["log"])
        elif "data" in piece:
            piece["log"] = ""
        pieces.append(piece)
    return pieces


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    pieces = read_pieces(folder)
    result.write_text(json.dumps({"part": folder.name, "pieces": pieces}, indent=1) + "\n")
    for piece in pieces:
        if not piece["passed"]:
            print(f"---- {piece['name']}", *piece["log"].splitlines()[:LINES_SHOWN], "", sep="\n")
    width = max((len(piece["name"]) for piece in pieces), default=0)
    for piece in pieces:
        passed = "------" if piece["outcome"].startswith("not run") else "passed" if piece["passed"] else "FAILED"
        print(f"{piece['name']:<{width}}  {passed}  {piece['seconds']:>4} s  {piece['outcome']}")
    failed = sum(not piece["passed"] for piece in pieces)
    tests = [piece["tests"] for piece in pieces if piece["tests"]]
    tally = f"{sum(ran for ran, _, _ in tests)} tests, {sum(bad for _, bad, _ in tests)} of them failed; " if tests else ""
    print(f"{tally}{len(pieces)} pieces, {failed} failed: {result}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
