"""Tests that compute on a Cpu carry the label by which scripts/test_vector_levels.sh runs them again."""
import json
import re
import subprocess
from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^#include "(tests/[^"]+)"', re.MULTILINE)
SUITE = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P|_SUITE)?\((\w+)\b", re.MULTILINE)


def headers_of(path):
    """The headers of tests that a file includes, itself or through others."""
    found, left = set(), [path]
    while left:
        left += [name for name in INCLUDE.findall((ROOT / left.pop()).read_text()) if name not in found]
        found.update(left)
    return found


class LabelsTest(ProgramTest):
    def test_those_at_the_tested_vector_level_and_no_others_are_numeric(self):
        computes = {}  # by suite
        for file in (ROOT / "tests").rglob("*_test.cpp"):
            path = str(file.relative_to(ROOT))
            for suite in SUITE.findall(file.read_text()):
                computes.setdefault(suite, set()).add("tests/vector_levels.h" in headers_of(path))
        listing = subprocess.run(["ctest", "--show-only=json-v1"], cwd=Path(self.program).parent, check=True,
                                 capture_output=True, text=True).stdout
        seen = set()
        for test in json.loads(listing)["tests"]:
            suite = test["name"].split(".")[0].split("/")[-1]
            if len(computes.get(suite, ())) != 1:
                continue  # a program's test, one that is not built, or a suite of two files
            labels = [p["value"] for p in test.get("properties", []) if p["name"] == "LABELS"]
            self.assertEqual(labels == [["numeric"]], computes[suite] == {True}, test["name"])
            seen.add(suite)
        if not seen:
            self.skipTest("tests are not built")


if __name__ == "__main__":
    main()
