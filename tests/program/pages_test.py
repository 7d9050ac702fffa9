"""What the pages show is there: configurations can be planned, links and paths lead somewhere."""

import re
import subprocess
from pathlib import Path

from program import ProgramTest, main

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
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


class PagesTest(ProgramTest):
    def assert_can_be_planned(self, config, name):
        done = self.command("plan", config)
        self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    def test_configurations_can_be_planned(self):
        shown = 0
        for page in PAGES:
            text = page.read_text()
            files = re.findall(r"`(\w+\.csv)`, a ", text)
            for name, content in zip(files, (b for b in blocks(text, "") if b.startswith("round,source"))):
                self.write(name, content)
            for config in blocks(text, "toml"):
                self.assert_can_be_planned(self.write("shown.toml", config), f"{page.name}\n{config}")
                shown += 1
        self.assertEqual(shown, 3)  # README.md, docs/configuration.md, docs/tutorial.md
        for config in [*(ROOT / "examples").glob("*.toml"), ROOT / "scripts/quickstart.toml"]:
            self.assert_can_be_planned(config, config.name)

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
