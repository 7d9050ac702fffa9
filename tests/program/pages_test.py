"""What the pages show is there: configurations can be planned, links and paths lead somewhere."""

import re
import subprocess
from pathlib import Path

from program import METRICS_HEADER, ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages of results are records: they name files as they were.
LINKED = PAGES + [ROOT / "bench/README.md", ROOT / "data/README.md", *sorted((ROOT / "bench/results").glob("*.md")),
                  ROOT / "tests/simt/README.md"]
LINK = re.compile(r"(?<!`)\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`((?:kernels|data|models|host|tests|bench|examples|scripts|docs|cmake)/[a-z_0-9/.-]+\.[a-z]+)`")
FOR_THE_READER_TO_WRITE = {"host/algorithms/momentum_push.h"}


def blocks(text, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for name, content in found if name == language]


class PagesTest(ProgramTest):
    def assert_can_be_planned(self, config, name):
        done = self.command("plan", config)
        said = [line for line in done.stderr.splitlines() if " training samples are not used" not in line]
        missing = [line for line in said if re.fullmatch('data.path: no folder .*; "data/fetch.sh .*" gets them', line)]
        self.assertEqual((done.returncode, said), (2 if missing else 0, missing), name)

    def test_configurations_can_be_planned(self):
        shown = 0
        for page in PAGES:
            text = page.read_text()
            self.write_shown_files(text)
            for config in blocks(text, "toml"):
                self.assert_can_be_planned(self.write("shown.toml", config), f"{page.name}\n{config}")
                shown += 1
        self.assertGreater(shown, 40)
        for config in [*(ROOT / "examples").glob("*.toml"), ROOT / "scripts/quickstart.toml"]:
            self.assert_can_be_planned(config, config.name)

    def test_every_column_of_metrics_is_explained(self):
        text = (ROOT / "docs/formats.md").read_text()
        table = text.split("| column | meaning |\n|---|---|\n")[1].split("\n\n")[0]
        names = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])]
        self.assertEqual(names, METRICS_HEADER.split(",") + ["syncs"])

    def write_shown_files(self, text):
        files = re.findall(r"`(\w+\.csv)`, a ", text)
        for name, content in zip(files, (b for b in blocks(text, "") if b.startswith(("round,source", "sample,node")))):
            self.write(name, content)

    def test_every_name_has_an_example_that_runs(self):
        """Of docs/names.md: each trains, and no name of the keys that choose one is left out."""
        text = (ROOT / "docs/names.md").read_text()
        self.write_shown_files(text)
        shown = set()
        for number, config in enumerate(blocks(text, "toml")):
            path = self.write("shown.toml", config)
            done = self.command("run", path, "--out", f"out{number}", "--set", "run.steps=12", "--set",
                                "evaluate.samples=20", "--quiet")
            self.assertEqual(done.returncode, 0, config + done.stderr)
            section = ""
            for line in config.splitlines():
                section = line.strip("[]") if line.startswith("[") else section
                if name := re.match(r'(\w+) = "(\w+)"', line):
                    shown.add((f"{section}.{name[1]}", name[2]))
        keys = self.command("keys", "--markdown").stdout
        for key in ("algorithm.name", "algorithm.compressor", "algorithm.compress", "optimizer.kind",
                    "optimizer.schedule", "optimizer.warmup", "topology.name", "topology.weights", "data.partition"):
            row = next(line for line in keys.splitlines() if line.startswith(f"| `{key}`"))
            default = re.findall(r'`"(\w+)"`', row.split("|")[3])
            for name in re.findall(r"`(\w+)`", row.split("|")[2]):
                self.assertTrue((key, name) in shown or name in default, f"{key} = {name} has no example")

    def test_code_compiles(self):
        shown = 0
        for page in PAGES:
            for code in blocks(page.read_text(), "cpp"):
                if "#include" not in code:  # a part of a file
                    code = f'#include "host/topologies/generated.cpp"\nnamespace sparsepush {{\n{code}}}\n'
                source = self.write("shown.cpp", code.replace("#pragma once\n", ""))
                done = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Werror", f"-I{ROOT}", source],
                                      capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), page.name)
                shown += 1
        self.assertEqual(shown, 2)  # a method and a topology, docs/architecture.md

    def test_links_lead_somewhere(self):
        for page in LINKED:
            for target in LINK.findall(CODE.sub("", page.read_text())):
                if not target.startswith("http"):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def test_files_that_are_named_are_there(self):
        named = set()
        for page in PAGES:
            named.update(FILE.findall(page.read_text()))
        self.assertGreater(len(named), 20)
        self.assertEqual({file for file in named if not (ROOT / file).exists()}, FOR_THE_READER_TO_WRITE)


if __name__ == "__main__":
    main()
