"""docs/tutorial.ipynb: its cells run in order, in one namespace as in Jupyter, and every call of the package is shown."""

import json
import os
import re
import subprocess
import sys

from reading import ROOT, ReaderTest, main, needs

CALLS = [
    "sparsepush.run({", 'sparsepush.run("', "out=", "set=", "program=", "except ValueError", "sparsepush.load(", ".path",
    ".status", ".config", ".summary", "sparsepush.RunError", ".metrics[", ".nodes", ".frame()", ".partition", ".state(",
    ".node_state_dict(3, replica=0)", 'framework="torch"', ".mean_state_dict(", ".torch_model(node=node)",
    ".torch_model(node=None)", "sparsepush.load_table(", "table.rows", "table.replicas", "table.claims", "table.frame()",
    "table.runs()", "sparsepush.runs(", "sparsepush.plot(",
]


class Tutorial(ReaderTest):
    def setUp(self):
        super().setUp()
        self.cells = json.loads((ROOT / "docs/tutorial.ipynb").read_text())["cells"]

    def sources(self, kind):
        return ["".join(cell["source"]) for cell in self.cells if cell["cell_type"] == kind]

    def test_every_call_is_shown(self):
        code = "\n".join(self.sources("code"))
        self.assertEqual([call for call in CALLS if call not in code], [])
        self.assertNotRegex(code, r"(?m)^\s*[!%]")  # else it would need Jupyter

    @needs("pandas", "torch", "matplotlib")
    def test_cells_run(self):
        self.make_table()
        (self.folder / "bin").mkdir()
        (self.folder / "bin/sparsepush").symlink_to(self.program)
        environment = os.environ | {"PYTHONPATH": str(ROOT / "python"), "MPLBACKEND": "svg",
                                    "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        script = self.write("cells.py", "\n".join(self.sources("code")))
        done = subprocess.run([sys.executable, script], cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for page in ("README.md", "docs/python.md"):
            blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
            script = self.write("page.py", "\n".join(blocks))
            shown = subprocess.run([sys.executable, script], cwd=self.folder, env=environment, capture_output=True, text=True)
            self.assertEqual(shown.returncode, 0, f"{page}: {shown.stderr}")
        for words in ('unknown key "stepz"', "runs/nothing/config.toml: no such file", "the mean model says ", "SGP finished 0.",
                      "seven times fewer bytes"):
            self.assertIn(words, done.stdout)

    def make_table(self):
        """The folder of the table that a cell describes."""
        toml = next(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0] for text in self.sources("markdown")
                    if "```toml" in text)
        done = self.command("table", self.write("digits.toml", toml), "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
