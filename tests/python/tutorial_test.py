"""docs/tutorial.ipynb: its cells run in order, in one namespace as in Jupyter, and every call of the package is shown."""

import csv
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
SETTINGS = {"SGP": {"algorithm.name": "sgp"}} | {
    f"Sparse-Push, keep={keep}": {"algorithm.name": "sparse_push", "algorithm.keep": keep} for keep in (0.1, 0.3)}


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
        """The folder of the table that a cell describes: by the program, or as docs say where it makes no tables."""
        toml = next(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0] for text in self.sources("markdown")
                    if "```toml" in text)
        config = self.write("digits.toml", toml)
        if re.search(r"^  table ", self.command("--help").stdout, re.MULTILINE):
            done = self.command("table", config, "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)
            return
        folder = self.folder / "tables/digits"
        runs = {}
        base = {"run": {"nodes": 4, "steps": 200, "replicas": 2}, "evaluate": {"every_steps": 100}}
        for name, settings in SETTINGS.items():
            arguments = [argument for key, value in settings.items() for argument in ("--set", f"{key}={value}")]
            runs[name] = self.train(f"tables/digits/points/{len(runs)}", base, *arguments)
        keys = ["algorithm.name", "algorithm.keep"]
        columns = ["accuracy_mean", "bytes_wire"]
        last = {name: {c: run.metrics[c][-2:] for c in columns} for name, run in runs.items()}
        swept = {name: [settings.get(key, "") for key in keys] for name, settings in SETTINGS.items()}
        dense, sparse = (last[name]["bytes_wire"] for name in ("SGP", "Sparse-Push, keep=0.1"))
        ratio = (dense / sparse).mean()
        files = {
            "points.csv": [["name", "folder", *keys]] + [
                [name, run.path.relative_to(folder), *swept[name]] for name, run in runs.items()],
            "replicas.csv": [["name", *keys, "replica", "seed", "status", "folder", *columns]] + [
                [name, *swept[name], r, r + 1, "finished", run.path.relative_to(folder),
                 *(last[name][c][r] for c in columns)] for name, run in runs.items() for r in (0, 1)],
            "table.csv": [["name", *keys, "status", "n", *columns]] + [
                [name, *swept[name], "finished", 2, *(last[name][c].mean() for c in columns)] for name in runs],
            "claims.csv": [["claim", "row", "metric", "value", "verdict"],
                           ["seven times fewer bytes", "Sparse-Push, keep=0.1", "bytes_wire:ratio", ratio,
                            "pass" if ratio >= 7 else "fail"]],
        }
        for name, lines in files.items():
            with open(folder / name, "w", newline="") as file:
                csv.writer(file).writerows(lines)


if __name__ == "__main__":
    main()
