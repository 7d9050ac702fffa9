"""`sparsepush diff`: two runs, or two tables, side by side."""

import csv
import re

from program import ProgramTest, main, quadratic, read_metrics, toml

CONFIG = {
    "run": {"nodes": 4, "steps": 20},
    "data": {"name": "synthetic", "samples": 300, "features": 8, "classes": 3, "batch": 4},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 10},
}
SWEEP = """
[sweep]
"algorithm.keep" = [0.5, 0.1]
point = [
  { name = "SGP, dense", "algorithm.name" = "sgp" },
  { name = "Sparse", "algorithm.name" = "sparse_push" },
]
"""


class DiffTest(ProgramTest):
    def diff(self, a, b):
        """What is printed, and its tables as lists of cells."""
        done = self.command("diff", a, b)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout, [re.split(r" {2,}", line) for line in done.stdout.splitlines()]

    def refused(self, *words, folders):
        done = self.command("diff", *folders)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def train(self, out, *arguments):
        return self.run_ok(self.write_config(CONFIG), out, *arguments)

    def assert_cells(self, lines, name, a, b):
        """The line `name` has both numbers and their difference."""
        (cells,) = [line[1:] for line in lines if line[0] == name]
        for cell, value in zip(cells, (a, b, b - a), strict=True):
            self.assertAlmostEqual(float(cell), value, delta=2e-8 * max(abs(a), abs(b)))

    def make_table(self, out, text=SWEEP, *arguments):
        config = self.write("a.toml", toml(CONFIG) + text)
        self.assertEqual(self.command("table", config, "--out", out, "--quiet", *arguments).returncode, 0)
        with open(self.folder / out / "table.csv", newline="") as file:
            return list(csv.DictReader(file))


class Runs(DiffTest):
    def test_of_one_configuration_are_the_same(self):
        a, b = self.train("a"), self.train("b")
        text, lines = self.diff(a, b)
        self.assertIn("same configuration\n", text)
        self.assertIn("same metrics\n", text)
        (equal,) = re.findall("^files of equal content: (.*)$", text, re.MULTILINE)
        self.assertLessEqual({"checkpoint.safetensors", "config.toml", "metrics.csv", "nodes.csv", "partition.csv"},
                             set(equal.split(", ")))
        loss = float(read_metrics(a)[-1]["test_loss"])
        self.assert_cells(lines, "test_loss", loss, loss)

    def test_differ_in_keys_and_numbers(self):
        a, b = self.train("a"), self.train("b", "--set", "algorithm.keep=0.5", "--set", "run.threads=1",
                                          "--set", "optimizer.lr=0.05")
        text, lines = self.diff(a, b)
        self.assertNotIn("same", text)
        keys = lines[1:lines.index([""])]
        self.assertEqual(keys, [["algorithm.averaging_rate", "0.01", "0.5"], ["algorithm.keep", "0.01", "0.5"],
                                ["optimizer.lr", "0.1", "0.05"], ["run.threads", "0", "1"]])
        of_a, of_b = read_metrics(a)[-1], read_metrics(b)[-1]
        compared = 0
        for column in of_a:
            if column != "replica" and of_a[column]:
                self.assert_cells(lines, column, float(of_a[column]), float(of_b[column]))
                compared += 1
        self.assertGreater(compared, 15)

    def test_of_replicas_have_means(self):
        a, b = self.train("a", "--set", "run.replicas=3"), self.train("b")
        _, lines = self.diff(a, b)
        self.assertIn(["last row, mean of 3 and 1 replicas", "A", "B", "B - A"], lines)
        mean = sum(float(row["test_loss"]) for row in read_metrics(a)[-3:]) / 3
        self.assert_cells(lines, "test_loss", mean, float(read_metrics(b)[-1]["test_loss"]))

    def test_that_read_other_files_differ(self):
        folders = []
        for seed in range(2):
            self.write("problem.safetensors", quadratic(4, (30,), seed))
            config = {"run": {"nodes": 4, "steps": 20}, "data": {"name": "quadratic", "file": "problem.safetensors"}}
            folders.append(self.run_ok(self.write_config(config), f"run{seed}"))
        text, lines = self.diff(*folders)
        self.assertNotIn("same configuration", text)
        self.assertRegex(text, r"data\.file .*of another content")
        self.assertEqual(len(lines[1:lines.index([""])]), 1)

    def test_that_have_measured_nothing_have_no_numbers(self):
        a, b = self.train("a"), self.train("b")
        (b / "metrics.csv").write_text((b / "metrics.csv").read_text().splitlines()[0] + "\n")
        _, lines = self.diff(a, b)
        (step,) = [line for line in lines if line[0] == "step"]
        self.assertEqual(step, ["step", "20"])


class Tables(DiffTest):
    def test_rows_are_matched_by_what_they_are(self):
        of_a = self.make_table("a")
        of_b = self.make_table("b", SWEEP.replace("[0.5, 0.1]", "[0.1, 0.2]"), "--set", "run.steps=30")
        text, lines = self.diff("a", "b")
        self.assertNotIn("same", text)
        self.assertIn("rows of A only: Sparse, keep=0.5\n", text)
        self.assertIn("rows of B only: Sparse, keep=0.2\n", text)
        rows = {name: [{row["name"]: row for row in table}[name] for table in (of_a, of_b)]
                for name in ("SGP, dense", "Sparse, keep=0.1")}
        compared = 0
        for name, row, other in ((name, *pair) for name, pair in rows.items()):
            for column in ("accuracy_mean", "consensus", "bytes_wire"):
                (cells,) = [line[2:] for line in lines if line[:2] == [name, column]]
                a, b = float(row[column]), float(other[column])
                for cell, value in zip(cells, (a, b, b - a), strict=True):
                    self.assertAlmostEqual(float(cell), value, delta=2e-8 * max(abs(a), abs(b)))
                    compared += 1
        self.assertEqual(compared, 18)

    def test_keys_that_one_sweeps_only_do_not_count(self):
        self.make_table("a")
        self.make_table("b", SWEEP.replace("[0.5, 0.1]", '[0.5]\n"optimizer.lr" = [0.1, 0.05]'))
        _, lines = self.diff("a", "b")
        names = {line[0] for line in lines if len(line) > 2 and line[1] == "accuracy_mean"}
        self.assertEqual(names, {f"{a} | {a}, lr={lr}" for a in ("SGP, dense", "Sparse, keep=0.5")
                                 for lr in ("0.1", "0.05")})

    def test_of_the_same_file_are_the_same(self):
        self.make_table("a")
        self.make_table("b")
        text, _ = self.diff("a", "b")
        self.assertTrue(text.startswith("same configuration\nsame metrics\n\n"), text)

    def test_waiting_rows_are_said(self):
        self.make_table("a")
        self.command("table", self.write("a.toml", toml(CONFIG) + SWEEP), "--out", "b", "--quiet", "--only", "dense")
        text, lines = self.diff("a", "b")
        self.assertIn("same configuration\n", text)
        self.assertNotIn("same metrics", text)
        self.assertIn(["Sparse, keep=0.1", "status", "finished", "waiting"], lines)
        (self.folder / "b/table.csv").unlink()  # as after a kill
        text, _ = self.diff("a", "b")
        self.assertIn("rows of A only: SGP, dense; Sparse, keep=0.5; Sparse, keep=0.1\n", text)


class Errors(DiffTest):
    def test_name_what_is_neither(self):
        run = self.train("run")
        self.make_table("table")
        self.refused("table is a table", "run is a run", folders=["table", run])
        self.refused("nowhere", folders=["nowhere", run])
        self.refused("expected the folder of a run or a table", folders=[run, self.folder])
        self.refused("two?lines", folders=[run, "two\nlines"])
        (self.folder / "table/table.csv").write_text("name,n\n")
        self.refused("table/table.csv:1: expected the columns", folders=["table", "table"])
        (run / "config.toml").write_text("[run")
        self.refused("config.toml:1", folders=[run, run])
        self.assertEqual(self.command("diff", run).returncode, 2)

    def test_name_damaged_numbers(self):
        a, b = self.train("a"), self.train("b")
        (b / "metrics.csv").write_text((b / "metrics.csv").read_text() + "0,1\n")
        self.refused("b/metrics.csv", folders=[a, b])


if __name__ == "__main__":
    main()
