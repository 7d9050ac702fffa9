"""Making tables with the program: the configuration and sweeps that tests share, and what they ask of a table."""

import csv
import io
from pathlib import Path

from program import ProgramTest, toml

BASE = {
    "run": {"nodes": 4, "steps": 60, "replicas": 2},
    "data": {"name": "synthetic", "samples": 600, "features": 8, "classes": 3, "batch": 4, "partition": "skew"},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 20},
}
SWEEP = """
[sweep]
"data.skew" = [0.0, 0.8]
"algorithm.keep" = [0.5, 0.1]
point = [
  { name = "SGP", "algorithm.name" = "sgp" },
  { name = "Sparse-Push", "algorithm.name" = "sparse_push" },
]
"""
SCSP = SWEEP.replace("]\n\"", "]\n\"", 1).replace(
    '  { name = "Sparse-Push"', '  { name = "SCSP", "algorithm.name" = "scsp", "algorithm.final_rounds" = 4 },\n'
    '  { name = "Sparse-Push"')
GRID = """
[sweep]
"algorithm.keep" = [0.5, 0.1]
"optimizer.lr" = [0.1, 0.05]
"""
COLUMNS = ["accuracy_mean", "accuracy_mean@trained", "test_loss@best:gap", "accuracy_mean@last2:gap", "bytes_wire:ratio",
           "bytes_wire@full:ratio", "step@reach", "consensus", "bytes_dense@full", "seconds"]
SETTINGS = f"""
[table]
columns = {COLUMNS!r}
reference = "SGP"
across = "data.skew"
reach = 0.7
full_steps = 600
""".replace("'", '"')


class TableTest(ProgramTest):
    """A test that makes tables in its folder, or has them refused."""

    def write_table(self, *parts, base=BASE, name="a.toml"):
        return self.write(name, toml(base) + "".join(parts))

    def table(self, config, out="out", *arguments, code=0, **options):
        """Makes a table in the folder `out` and returns that."""
        done = self.command("table", config, "--out", self.folder / out, *arguments, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.said = done
        return self.folder / out

    def refused(self, *words, config=None, text=None, arguments=()):
        config = config or self.write("refused.toml", text)
        done = self.command("table", config, "--out", self.folder / "refused", *arguments)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertFalse((self.folder / "refused").exists())

    def contents(self, folder, without_seconds=False):
        """Every file's bytes; without what the clock says and the lock, if asked for."""
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_dir() or path.name == ".lock":
                continue
            files[str(path.relative_to(folder))] = path.read_bytes()
        if without_seconds:
            for name in list(files):
                if Path(name).name in ("log.txt", "timing.csv", "summary.json", "table.md", "report.html") or \
                        name.endswith("-seconds.svg"):
                    del files[name]
                elif name == "points.csv":
                    rows = [row | {"seconds": ""} for row in csv.DictReader(io.StringIO(files[name].decode()))]
                    files[name] = repr(rows).encode()
        return files
