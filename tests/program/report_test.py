"""`sparsepush report`: one page of runs, tables and folders of these, whose numbers are those of the run folders."""

import math
import re
import statistics
import sys
import unittest
from pathlib import Path

from program import main, markdown_table, quadratic, toml
from report_reading import BASE, Page, ReportTest, number, rows_of

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from sparsepush.charts import COLOURS  # noqa: E402

TABLE = """
[sweep]
point = [
  { name = "SGP", "algorithm.name" = "sgp" },
  { name = "SCSP", "algorithm.name" = "scsp", "algorithm.final_rounds" = 4 },
  { name = "hard a_%&#$<b>'", "algorithm.name" = "sparse_push", "algorithm.keep" = 0.1 },
]
[table]
columns = ["accuracy_mean", "bytes_wire:ratio"]
reference = "SGP"
labels = { "bytes_wire:ratio" = "fewer <bytes>" }
[[claim]]
name = "few bytes & <more>"
row = { name = "SCSP" }
metric = "bytes_wire:ratio"
at_least = 1.5
source = "nobody"
[[claim]]
name = "near enough"
row = { name = "SCSP" }
metric = "accuracy_mean:gap"
at_most = 0.3
source = "nobody"
"""


class Numbers(ReportTest):
    def test_are_those_of_the_run_folders(self):
        folder = self.runs()
        page = self.report(folder)
        self.assertEqual(sorted(row["method"] for row in page.rows.values()),
                         ["all_reduce", "scsp", "sgp", "sparse_push"])
        compared = 0
        for row in page.rows.values():
            self.assertEqual(row["folders"], [f"runs/{row['method']}"])
            metrics = rows_of(folder / row["method"] / "metrics.csv")
            self.assertEqual(row["step"], sorted({int(line["step"]) for line in metrics}))
            for column in set(row) & set(metrics[0]) - {"step"}:
                for step, mean in zip(row["step"], row[column]):
                    values = [number(line[column]) for line in metrics if int(line["step"]) == step]
                    expected = None if None in values else sum(values) / len(values)
                    if expected is None:
                        self.assertIsNone(mean)
                    else:
                        self.assertTrue(math.isclose(mean, expected, rel_tol=1e-8, abs_tol=1e-12), (column, step))
                        compared += 1
                    if column + "_sd" in row and expected is not None:
                        at = row["step"].index(step)
                        self.assertAlmostEqual(row[column + "_sd"][at], statistics.stdev(values), delta=1e-6)
        self.assertGreater(compared, 150)

    def test_are_where_lines_are_drawn(self):
        page = self.report(self.runs())
        keys = {"step": "step", "epoch": "epochs", "bytes_wire": "bytes_wire", "seconds": "seconds"}
        drawn = 0
        for name, chart in page.plots.items():
            lines, (x0, x1, y0, y1), logs = page.lines(name)
            for (label, column), points in lines.items():
                row = page.rows[label]
                numbers = [(x, y) for x, y in zip(row[keys[chart.get("data-x")]], row[column])
                           if x is not None and y is not None and not (logs[0] and x <= 0) and not (logs[1] and y <= 0)]
                self.assertEqual(len(points), len(numbers), (name, label))
                for (x, y), (own_x, own_y) in zip(points, numbers):
                    if logs[0]:
                        self.assertAlmostEqual(math.log(x / own_x), 0, delta=3e-4 * math.log(x1 / x0))
                    else:
                        self.assertAlmostEqual(x, own_x, delta=3e-4 * (x1 - x0))
                    if logs[1]:
                        self.assertAlmostEqual(math.log(y / own_y), 0, delta=5e-4 * math.log(y1 / y0))
                    else:
                        self.assertAlmostEqual(y, own_y, delta=5e-4 * (y1 - y0))
                    drawn += 1
        self.assertGreater(drawn, 200)
        for column in ("accuracy_mean", "test_loss"):
            for axis in keys:
                self.assertIn(f"{column}-{axis}", page.plots)

    def test_of_nodes_are_quantiles_over_them(self):
        folder = self.runs()
        page = self.report(folder)
        row = next(row for row in page.rows.values() if row["method"] == "sgp")
        at_end = [line for line in rows_of(folder / "sgp/nodes.csv") if line["step"] == "60"]
        for percent, of in ((0, min), (50, statistics.median), (100, max)):
            of_replicas = [of(float(line["accuracy"]) for line in at_end if line["replica"] == replica) for replica in "01"]
            self.assertAlmostEqual(row[f"node_q{percent}"][-1], sum(of_replicas) / 2, delta=1e-7)
        self.assertEqual(len([name for name in page.plots if name.startswith("spread-")]), 4)

    def test_epochs_have_parts(self):
        page = self.report(self.synthetic("long", 40))
        (row,) = page.rows.values()
        self.assertEqual(row["epoch"], [step // 7 for step in range(41)])
        for step, part in enumerate(row["epochs"]):
            self.assertAlmostEqual(part, step / 7, delta=1e-7)


    def test_of_epochs_are_right_where_rows_have_others(self):
        config = self.write_config(BASE)
        batches = {"a": 4, "b": 2, "c": 64}  # of which the second ends within its first epoch
        for name, batch in batches.items():
            self.run_ok(config, f"runs/{name}", "--set", f"data.batch={batch}", "--set", "run.steps=57")
        page = self.report(self.folder / "runs")
        for row in page.rows.values():
            folder = self.folder / row["folders"][0]
            own = [int(line["samples"]) for line in rows_of(folder / "partition.csv") if line["replica"] == "0"]
            length = -(-sum(own) // (sum(samples > 0 for samples in own) * batches[folder.name]))
            for step, part, whole in zip(row["step"], row["epochs"], row["epoch"]):
                self.assertAlmostEqual(part, step / length, delta=1e-6)
                self.assertEqual(math.floor(part + 1e-6), whole)
        lines, ends, _ = page.lines("accuracy_mean-epoch")
        self.assertEqual(len(lines), 3)
        self.assertAlmostEqual(ends[1], max(row["epochs"][-1] for row in page.rows.values()), delta=1e-6)

    def test_of_epochs_that_may_have_any_length_are_not_drawn(self):
        config = self.write_config(BASE)
        for name, batch in (("known", 4), ("open", 16)):
            self.run_ok(config, f"runs/{name}", "--set", f"data.batch={batch}", "--set", "run.steps=20")
        self.assertIn("accuracy_mean-epoch", self.report(self.folder / "runs").plots)
        (self.folder / "runs/open/partition.csv").unlink()
        page = self.report(self.folder / "runs")
        self.assertNotIn("accuracy_mean-epoch", page.plots)
        self.assertIn("accuracy_mean-step", page.plots)
        self.assertIn("Without an axis of epochs: how many steps one has is not known of sparse_push, batch=16", page.text)
        # Whatever partition.csv says, it is what metrics.csv allows.
        (self.folder / "runs/open/partition.csv").write_text("replica,node,samples\n0,0,1\n")
        self.assertNotIn("accuracy_mean-epoch", self.report(self.folder / "runs").plots)

    def test_of_epochs_are_those_of_a_problem_that_says_so(self):
        self.write("problem.safetensors", quadratic(4, (30,)))
        data = {"name": "quadratic", "file": "problem.safetensors"}
        for name, more in (("with", {"epoch_steps": 14}), ("without", {})):
            config = self.write_config({"run": {"nodes": 4, "steps": 20}, "data": data | more, "evaluate": {"every_steps": 20}})
            page = self.report(self.run_ok(config, name), out=f"{name}.html")
            self.assertEqual("test_loss-epoch" in page.plots, bool(more))
            self.assertNotIn("axis of epochs", page.text)
            (row,) = page.rows.values()
            if more:
                self.assertAlmostEqual(row["epochs"][-1], 20 / 14, delta=1e-6)


class Rows(ReportTest):
    def test_are_coloured_by_method_and_dashed_within_one(self):
        folder = self.runs()
        config = self.write_config(BASE)
        self.run_ok(config, "runs/other", "--set", "algorithm.name=sparse_push", "--set", "algorithm.keep=0.5")
        page = self.report(folder)
        colours = {row["method"]: row["colour"] for row in page.rows.values()}
        self.assertEqual(colours, {"sgp": "#0072b2", "scsp": "#009e73", "sparse_push": "#d55e00", "all_reduce": "currentColor"})
        dashes = {line.get("data-row"): line.get("stroke-dasharray")
                  for line in page.plots["accuracy_mean-step"].iter("polyline")}
        self.assertEqual(dashes["sgp"], None)
        both = [dash for label, dash in dashes.items() if label.startswith("sparse_push")]
        self.assertEqual(len(set(both)), 2)
        self.assertIn("sparse_push, keep=0.5", dashes)

    def test_of_seeds_are_one(self):
        config = self.write_config(BASE | {"run": {"nodes": 4, "steps": 60}})
        for seed in (1, 2, 3):
            self.run_ok(config, f"runs/{seed}", "--set", f"run.seed={seed}")
        self.run_ok(config, "runs/again", "--set", "run.seed=1")
        page = self.report(self.folder / "runs")
        self.assertEqual([row["folders"] for row in page.rows.values()], [["runs/1", "runs/2", "runs/3"], ["runs/again"]])
        self.assertEqual(list(page.rows), ["1", "again"])  # folders: no key differs
        row = page.rows["1"]
        values = [float(rows_of(self.folder / f"runs/{seed}/metrics.csv")[-1]["accuracy_mean"]) for seed in (1, 2, 3)]
        self.assertAlmostEqual(row["accuracy_mean"][-1], sum(values) / 3, delta=1e-8)
        self.assertAlmostEqual(row["accuracy_mean_sd"][-1], statistics.stdev(values), delta=1e-6)

    def test_of_other_data_have_panels_of_their_own(self):
        config = self.write_config(BASE)
        for skew in (0, 1):
            self.run_ok(config, f"runs/{skew}", "--set", f"data.skew={skew}.0")
        self.run_ok(config, "runs/all", "--set", "algorithm.name=all_reduce", "--set", "data.skew=1.0")
        page = self.report(self.folder / "runs")
        self.assertIn("1-accuracy_mean-step", page.plots)
        labels = {line.get("data-row") for line in page.plots["2-accuracy_mean-step"].iter("polyline")}
        self.assertEqual(labels, {"sparse_push, skew=1", "all_reduce, skew=1"})

    def test_with_files_are_told_apart_by_their_contents(self):
        for name, edges in (("first", "0,1\n1,2\n2,3\n3,0\n"), ("second", "0,2\n2,1\n1,3\n3,0\n")):
            self.write(f"{name}.csv", "source,target\n" + edges)
        config = self.write_config(BASE | {"topology": {"name": "file", "file": "first.csv"}})
        for name, topology, method in (("a", "first", "sgp"), ("b", "first", "sparse_push"), ("c", "second", "sgp")):
            self.run_ok(config, f"runs/{name}", "--set", f"topology.file={topology}.csv", "--set", f"algorithm.name={method}")
        page = self.report(self.folder / "runs")
        self.assertEqual({name for name in page.plots if name.endswith("accuracy_mean-step")},
                         {"1-accuracy_mean-step", "2-accuracy_mean-step"})
        self.assertIn("sparse_push, file=topology_file.csv", page.rows)
        self.assertEqual(set(page.rows), {"a", "sparse_push, file=topology_file.csv", "c"})
        self.assertEqual([line for line in page.text.splitlines() if str(self.folder) in line], [])

    def test_that_merge_say_so(self):
        page = self.report(self.runs())
        marked = {path.get("data-row") for path in page.plots["accuracy_mean-step"].iter("path") if path.get("class") == "final"}
        self.assertTrue(marked <= {"scsp"}, marked)
        dots = [path for path in page.plots["accuracy_mean-step"].iter("path") if path.get("stroke-linecap") == "round"]
        self.assertEqual({path.get("data-row") for path in dots}, {"scsp"})

    def test_without_accuracy(self):
        self.write("problem.safetensors", quadratic(4, (30,)))
        base = {"run": {"nodes": 4, "steps": 20}, "data": {"name": "quadratic", "file": "problem.safetensors"}}
        page = self.report(self.run_ok(self.write_config(base), "run"))
        self.assertIn("test_loss-step", page.plots)
        self.assertNotIn("accuracy_mean-step", page.plots)
        self.assertNotIn("accuracy-against-bytes", page.plots)


class Colours(unittest.TestCase):
    def test_are_those_of_the_python_package(self):
        sources = "".join(path.read_text() for path in sorted((ROOT / "host/algorithms").glob("*.h")))
        own = dict(re.findall(r'name = "(\w+)"[,;]\s*(?:\.|row\.)colour = "([^"]+)"', sources))
        self.assertEqual(own["all_reduce"], "currentColor")
        self.assertEqual(own | {"all_reduce": "#000000"}, COLOURS)
        self.assertGreater(len(own), 13)
        self.assertEqual(len(set(own.values())), len(own))


class Tables(ReportTest):
    def table(self, text=TABLE, name="out"):
        done = self.command("table", self.write("a.toml", toml(BASE) + text), "--out", name)
        self.assertIn(done.returncode, (0, 3), done.stderr)
        return self.folder / name

    def test_have_a_report_and_its_figures(self):
        out = self.table()
        page = Page(out / "report.html")
        self.assertEqual(list(page.rows), ["SGP", "SCSP", "hard a_%&#$<b>'"])
        self.assertEqual({row["folders"][0] for row in page.rows.values()}, {row["folder"] for row in rows_of(out / "points.csv")})
        names = {chart.get("data-name") for chart in page.charts if chart.get("data-name")}
        self.assertEqual({path.stem for path in (out / "figures").iterdir()}, names)
        self.assertIn("few bytes &amp; &lt;more&gt;", page.text)
        before = (out / "report.html").read_bytes()
        self.assertEqual(self.command("report", out).returncode, 0)
        self.assertEqual((out / "report.html").read_bytes(), before)

    def test_draw_reference_and_claims(self):
        page = Page(self.table() / "report.html")
        chart = page.plots["accuracy-against-bytes"]
        ringed = [spot.get("data-row") for spot in chart.iter("g") if spot.get("class") == "spot" and spot.find("circle") is not None]
        self.assertEqual(ringed, ["SGP"])
        self.assertEqual(len([path for path in chart.iter("path") if path.get("class") == "rule"]), 3)
        _, top, _, height = map(float, chart.get("data-plot").split())
        y0, y1 = map(float, chart.get("data-range").split()[2:])
        rules = [float(path.get("d").split()[1].partition("H")[0]) for path in chart.iter("path")
                 if path.get("class") == "rule" and "H" in path.get("d")]
        own = page.rows["SGP"]["accuracy_mean"][-1]
        drawn = sorted(y0 + (top + height - y) / height * (y1 - y0) for y in rules)
        for value, expected in zip(drawn, (own - 0.3, own)):
            self.assertAlmostEqual(value, expected, delta=0.002 * (y1 - y0) + 0.001)

    def test_call_columns_and_values_as_their_labels_say(self):
        text = TABLE.replace("[sweep]", '[sweep]\n"data.skew" = [0.0, 1.0]')
        page = Page(self.table(text.replace("labels = {", 'labels = { "data.skew=0" = "alike",')) / "report.html")
        self.assertIn(">fewer &lt;bytes&gt;</th>", page.text)
        self.assertEqual(page.text.count(">alike</td>"), 3)

    def test_stand_as_in_table_md(self):
        text = TABLE.replace("[sweep]", '[sweep]\n"data.skew" = [0.0, 1.0]').replace("point = [", """point = [
  { name = "wild | \\\\ *x*", "algorithm.name" = "sgp", "optimizer.lr" = 1e6, "optimizer.weight_decay" = 0.9 },""")
        text = text.replace('["accuracy_mean",', '["accuracy_mean", "step@reach", "bytes_wire",').replace(
            "[table]", '[table]\nreach = 0.95\nspread = "ci95"').replace("labels = {", 'labels = { "data.skew=0" = "alike",')
        for across in ("", "data.skew"):
            config = self.write("a.toml", toml(BASE) + text.replace("[table]", f'[table]\nacross = "{across}"'))
            for only in ("SGP_skew", ""):  # the others are waiting
                done = self.command("table", config, "--out", "out", "--only", only)
                self.assertEqual(done.returncode, 1, done.stderr)
                head, *rows = markdown_table((self.folder / "out/table.md").read_text())
                page = Page(self.folder / "out/report.html")
                shown_head, shown, values = page.table("Table out")
                self.assertEqual(shown_head, head)
                self.assertEqual(shown, rows)
                self.assertEqual(len(rows), 4 if across else 8)
                for column, name in enumerate(head):
                    own = [(cells[column], of_row[column]) for cells, of_row in zip(rows, values)]
                    for cell, value in own:
                        if "bytes_wire" in name and cell:
                            number, unit = cell.split()
                            self.assertAlmostEqual(value, float(number) * {"kB": 1e3, "MB": 1e6}[unit])
                        elif re.match(r"[0-9.]+( ±|x|$)", cell):
                            self.assertEqual(value, float(re.match("[0-9.]+", cell)[0]))
                        else:
                            self.assertIsNone(value, cell)
            cells = {cell for row in rows for cell in row}
            self.assertIn("wild | \\ *x*", cells)
            self.assertTrue({"diverged (1 of 2)", "diverged (2 of 2)"} & cells, cells)
            self.assertTrue(any(re.fullmatch("[01] of 2 reached", cell) for cell in cells), cells)
            self.assertEqual("accuracy_mean, % (alike)" in head, across != "")

    def test_that_are_damaged_leave_their_runs(self):
        out = self.table()
        (out / "claims.csv").write_text("claim,row\na,SCSP\n")
        page = self.report(out)
        self.assertEqual(len(page.rows), 3)
        self.assertIn("claims.csv: expected a column metric", self.said.stderr)

    def test_that_are_widened_lose_the_figures_of_before(self):
        out = self.table()
        (out / "figures/own.svg").write_text("<svg/>")
        self.assertTrue((out / "figures/accuracy_mean-step.svg").exists())
        self.table(TABLE.replace("[sweep]", '[sweep]\n"data.skew" = [0.0, 1.0]'))
        names = {path.name for path in (out / "figures").iterdir()}
        self.assertIn("1-accuracy_mean-step.svg", names)
        self.assertIn("own.svg", names)
        self.assertNotIn("accuracy_mean-step.svg", names)
        self.assertEqual(len(Page(out / "report.html").rows), 6)  # points of before are not shown

    def test_and_runs_stand_in_one_report(self):
        out, runs = self.table(), self.runs()
        page = self.report(out, runs)
        self.assertEqual(len(page.rows), 7)
        self.assertIn("SGP", page.rows)


if __name__ == "__main__":
    main()
