#!/usr/bin/env python3
"""Joins the pieces of a part of scripts/gpu_check.sh into one JSON file and prints a table; exits 1 if one failed.

usage: gpu_check_table.py FOLDER RESULT. The folder has, for every piece, NAME.json (how it ended), NAME.log (what it
printed) and perhaps NAME.data.json (Google Test's report, gossip_bench's or a baseline's).
"""

import json
import sys
from pathlib import Path

LINES_SAVED, LINES_SHOWN = 200, 20  # of a failed piece's log


def test_counts(report):
    """Of Google Test: tests that ran, that failed, that were skipped."""
    tests = [test for suite in report["testsuites"] for test in suite["testsuite"]]
    failed = sum("failures" in test for test in tests)
    skipped = sum(test.get("result") == "SKIPPED" for test in tests)
    return len(tests) - skipped, failed, skipped


def outcome(piece):
    """(passed, short text) of a piece."""
    if piece["exit_code"] != 0:
        return False, {124: "timed out", 77: "no GPU"}.get(piece["exit_code"], f"exit code {piece['exit_code']}")
    data = piece.get("data")
    if data and "testsuites" in data:
        ran, failed, skipped = test_counts(data)
        text = f"{ran} tests" + (f", {skipped} skipped" if skipped else "")
        return failed == 0 and (ran > 0 or skipped == 0), text
    if data and "cases" in data:
        fractions = [case["fraction_of_copy"] for case in data["cases"] if "fraction_of_copy" in case]
        text = f"{len(data['cases'])} cases"
        return True, text + (f", {min(fractions):.2f} to {max(fractions):.2f} of copy" if fractions else "")
    if data and "benchmarks" in data:
        return True, ", ".join(f"{run['name'].split('/real')[0]} {run['real_time']:.3f} ms" for run in data["benchmarks"])
    if data and "ns_per_param" in data:
        return True, ", ".join(f"{name} {ns:.4f}" for name, ns in data["ns_per_param"].items()) + " ns/param"
    return True, ""


def read_pieces(folder):
    pieces = []
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        if path.name.endswith(".data.json"):
            continue
        piece = json.loads(path.read_text())
        data = path.with_suffix(".data.json")
        if data.exists() and data.stat().st_size > 0:
            piece["data"] = json.loads(data.read_text())
        log = path.with_suffix(".log").read_text(errors="replace")
        piece["passed"], piece["outcome"] = outcome(piece)
        piece["log"] = log if "data" not in piece and piece["passed"] else ""
        if not piece["passed"]:
            piece["log"] = "\n".join(log.splitlines()[-LINES_SAVED:])
        pieces.append(piece)
    return pieces


def main():
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    pieces = read_pieces(folder)
    result.write_text(json.dumps({"part": folder.name, "pieces": pieces}, indent=1) + "\n")
    for piece in pieces:
        if not piece["passed"]:
            print(f"---- {piece['name']}", *piece["log"].splitlines()[-LINES_SHOWN:], "", sep="\n")
    width = max((len(piece["name"]) for piece in pieces), default=0)
    for piece in pieces:
        passed = "passed" if piece["passed"] else "FAILED"
        print(f"{piece['name']:<{width}}  {passed}  {piece['seconds']:>4} s  {piece['outcome']}")
    failed = sum(not piece["passed"] for piece in pieces)
    print(f"{len(pieces)} pieces, {failed} failed: {result}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
