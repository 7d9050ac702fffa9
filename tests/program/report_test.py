"""`sparsepush report`: one page of runs, tables and folders of these, whose numbers are those of the run folders."""

import csv
import html
import json
import math
import os
import re
import resource
import shutil
import statistics
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from program import METRICS_HEADER, ProgramTest, main, markdown_table, quadratic, toml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
from sparsepush.charts import COLOURS  # noqa: E402

BASE = {
    "run": {"nodes": 4, "steps": 60, "replicas": 2},
    "data": {"name": "synthetic", "samples": 600, "features": 8, "classes": 3, "batch": 4, "partition": "skew"},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 20},
}
HARD = "a_%&#$<b>\"'</script>"
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
SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


class Page:
    """A report as its readers see it."""

    def __init__(self, path):
        self.text = path.read_text()
        found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', self.text, re.DOTALL)
        self.rows = {row["label"]: row for row in json.loads(found.group(1))}
        self.charts = [ElementTree.fromstring(svg) for svg in SVG.findall(self.text)]
        self.plots = {chart.get("data-name"): chart for chart in self.charts if chart.get("data-plot")}

    def table(self, title):
        """Heads, texts of the cells and the numbers they are sorted by, of the table below a heading."""
        found = re.search(rf"<h2>{re.escape(html.escape(title))}</h2>\n(.*?)</table>", self.text, re.DOTALL).group(1)
        head = [html.unescape(text) for text in re.findall(r"<th\b[^>]*>([^<]*)</th>", found)]
        texts, values = [], []
        for row in re.findall(r"<tr>(.*?)</tr>", found.partition("<tbody>")[2]):
            cells = re.findall(r'<td(?: class="number" data-value="([^"]*)")?>([^<]*)</td>', row)
            texts.append([html.unescape(text) for _, text in cells])
            values.append([float(value) if value else None for value, _ in cells])
        return head, texts, values

    def lines(self, name):
        """The points of each polyline of a chart, in the numbers of its axes."""
        chart = self.plots[name]
        left, top, width, height = map(float, chart.get("data-plot").split())
        ends = list(map(float, chart.get("data-range").split()))
        logs = [word == "1" for word in chart.get("data-logs").split()]

        def value(part, low, high, log):
            return low * (high / low) ** part if log else low + part * (high - low)

        lines = {}
        for line in chart.iter("polyline"):
            pixels = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
            lines[line.get("data-row"), line.get("data-column")] = [
                (value((x - left) / width, *ends[:2], logs[0]), value((top + height - y) / height, *ends[2:], logs[1]))
                for x, y in pixels]
        return lines, ends, logs


class ReportTest(ProgramTest):
    def report(self, *folders, out="report.html", code=0):
        done = self.command("report", *folders, "--out", out, "--svg", "figures")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.said = done
        return Page(self.folder / out) if code == 0 else None

    def runs(self):
        """Four methods, one of them with final rounds."""
        config = self.write_config(BASE)
        for name, *settings in (("sgp",), ("scsp", "algorithm.final_rounds=4"), ("sparse_push", "algorithm.keep=0.1"),
                                ("all_reduce",)):
            sets = [word for setting in (f"algorithm.name={name}", *settings) for word in ("--set", setting)]
            self.run_ok(config, f"runs/{name}", *sets)
        return self.folder / "runs"

    def synthetic(self, name, evaluations, nodes=4, **settings):
        """A run's folder as if it had been evaluated often, with spikes at 333 and 777."""
        sections = {"run": {"nodes": nodes, "steps": evaluations}, "algorithm": {"name": "sgp"}, "data": {"min_samples": 0}}
        for key, value in settings.items():
            sections.setdefault("optimizer", {})[key] = value
        folder = self.folder / name
        folder.mkdir(parents=True)
        config = self.command("run", self.write_config(sections), "--print-config").stdout
        (folder / "config.toml").write_text(config)
        columns = METRICS_HEADER.split(",")
        lines = []
        for step in range(evaluations + 1):
            loss = 2 / (1 + step) + (5 if step == 333 else 0) - (0.2 if step == 777 else 0)
            row = {"replica": 0, "step": step, "epoch": step // 7, "test_loss": f"{loss:.9g}", "accuracy_mean": 0.5,
                   "accuracy_min": 0.4, "accuracy_max": 0.6, "u_sum": nodes, "u_min": 1, "u_max": 1, "bytes_wire": 100 * step}
            lines.append(",".join(str(row.get(column, "")) for column in columns))
        (folder / "metrics.csv").write_text(METRICS_HEADER + "\n" + "\n".join(lines) + "\n")
        return folder


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


class Files(ReportTest):
    def test_need_nothing_else(self):
        page = self.report(self.runs())
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page.text).group(1)
        self.assertEqual(policy, "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
        self.assertNotRegex(page.text, r"https?://|@import|url\((?!#)|\bsrc=|<link")
        self.assertEqual(set(re.findall(r'href="([^"#]*)', page.text)), set())

    def test_of_charts_are_the_same_pictures(self):
        page = self.report(self.runs())
        files = {path.stem: path for path in (self.folder / "figures").iterdir()}
        names = [chart.get("data-name") for chart in page.charts if chart.get("data-name")]
        self.assertEqual(sorted(files), sorted(names))
        for chart in page.charts:
            self.assertTrue(chart.find("title") is not None and chart.find("title").text, chart.attrib)
        for name, path in files.items():
            self.assertRegex(path.name, r"^[a-z0-9._-]+\.svg$")
            root = ElementTree.parse(path).getroot()
            self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
            self.assertTrue(root.find("{http://www.w3.org/2000/svg}title").text)
            body = re.search(r"</title>\n(.*)</svg>", path.read_text(), re.DOTALL).group(1)
            self.assertIn(body, page.text)

    def test_are_the_same_bytes_again(self):
        folder = self.runs()
        self.report(folder)
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns)
                  for path in [self.folder / "report.html", *(self.folder / "figures").iterdir()]}
        self.report(folder)
        self.assertEqual(before, {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before})

    def test_default_to_the_first_folder(self):
        folder = self.runs()
        self.assertEqual(self.command("report", folder / "sgp", folder / "scsp").returncode, 0)
        self.assertEqual(set(Page(folder / "sgp/report.html").rows), {"sgp", "scsp"})
        self.assertFalse((folder / "sgp/figures").exists())

    def test_of_one_run_have_its_folder_as_label(self):
        self.assertEqual(list(self.report(self.runs() / "sgp").rows), ["sgp"])

    def test_have_the_settings(self):
        page = self.report(self.runs())
        self.assertIn("algorithm.keep", page.text)
        for name in ("sgp", "scsp", "sparse_push", "all_reduce"):
            config = (self.folder / f"runs/{name}/config.toml").read_text()
            self.assertIn(html.escape(config, quote=True).replace("&#x27;", "&#39;"), page.text)


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


class Texts(ReportTest):
    def test_are_escaped_everywhere(self):
        name = HARD.replace("/", "_")
        folder = self.synthetic(f"runs/{name}", 5)
        shutil.copytree(folder, self.folder / "runs/second")
        page = self.report(self.folder / "runs")
        self.assertIn(name, page.rows)
        self.assertNotIn(name, page.text)
        self.assertEqual(page.text.count("</script>"), 2)
        self.assertIn(name, {line.get("data-row") for line in page.plots["test_loss-step"].iter("polyline")})
        self.assertIn(f'data-row="{html.escape(name).replace("&#x27;", "&#39;")}" aria-pressed', page.text)
        for path in (self.folder / "figures").iterdir():
            ElementTree.parse(path)

    def test_that_are_no_utf_8(self):
        folder = self.synthetic("runs/plain", 5)
        os.rename(folder, os.fsencode(self.folder / "runs") + b"/\xff")
        page = self.report(self.folder / "runs")
        self.assertEqual(len(page.rows), 1)


class Limits(ReportTest):
    def test_of_points_keep_spikes_and_ends(self):
        page = self.report(self.synthetic("long", 2000))
        (row,) = page.rows.values()
        self.assertLessEqual(len(row["step"]), 500)
        self.assertGreater(len(row["step"]), 300)
        for step in (0, 333, 777, 2000):
            self.assertIn(step, row["step"])
        for chart in page.plots.values():
            for line in chart.iter("polyline"):
                self.assertLessEqual(len(line.get("points").split()), 500)
        self.assertIn("at most 500 points", page.text)

    def test_of_rows_say_what_is_left_out(self):
        self.synthetic("runs/0", 3)
        for i in range(1, 45):
            folder = self.folder / f"runs/{i}"
            shutil.copytree(self.folder / "runs/0", folder)
            config = (folder / "config.toml").read_text()
            (folder / "config.toml").write_text(re.sub(r"(?m)^lr = .*", f"lr = {0.1 + i}", config))
        page = self.report(self.folder / "runs")
        self.assertEqual(len(page.rows), 40)
        self.assertIn("first 40 of 45 rows", page.text)
        self.assertEqual(len(list(page.plots["accuracy_mean-step"].iter("polyline"))), 40)

    def many_panels(self, values, rows):
        """Points of a grid of three keys, as a table leaves them: `values` panels of `rows` rows with bands."""
        first = self.synthetic("first", 100)
        sections = {"run": {"nodes": 4, "steps": 100, "replicas": 2}, "algorithm": {"name": "sgp"}, "data": {"partition": "skew"}}
        config = self.command("run", self.write_config(sections), "--print-config").stdout
        metrics = (first / "metrics.csv").read_text()
        metrics += re.sub(r"(?m)^0(,.*),0\.5,", r"1\1,0.7,", metrics.partition("\n")[2])
        lines = ["name,id,launch,status,steps_done,steps,seconds,folder,data.skew,optimizer.lr,optimizer.momentum"]
        for number in range(values * rows):
            skew, lr, momentum = number // rows / values, 0.1 + number % rows // 2, number % 2 / 2
            folder = self.folder / f"many/points/{number}"
            folder.mkdir(parents=True)
            text = config
            for key, value in (("skew", skew), ("lr", lr), ("momentum", momentum)):
                text = re.sub(rf"(?m)^{key} = .*", f"{key} = {value}", text, count=1)
            (folder / "config.toml").write_text(text)
            (folder / "metrics.csv").write_text(metrics)
            lines.append(f'"point {number}",{number:016x},{number},finished,100,100,1,points/{number},{skew},{lr},{momentum}')
        (self.folder / "many/points.csv").write_text("\n".join(lines) + "\n")
        return self.folder / "many"

    def test_of_panels_say_what_is_left_out(self):
        for values, rows, panels in ((50, 6, 20), (10, 30, 4), (200, 1, 20), (20, 6, 20)):
            page = self.report(self.many_panels(values, rows))
            names = {chart.get("data-name") for chart in page.charts if chart.get("data-name")}
            self.assertEqual({int(name.partition("-")[0]) for name in names}, set(range(1, panels + 1)))
            self.assertEqual(len(page.rows), panels * rows)
            self.assertEqual(f"Charts show the first {panels} of {values} panels; left out are: " in page.text, panels < values)
            self.assertIn(f"{values * rows} rows, {values} panels", page.text)
            self.assertEqual(len(page.table("Where rows ended")[1]), values * rows)
            self.assertLess(len(page.text.encode()), 8e6)
            self.assertEqual({path.stem for path in (self.folder / "figures").iterdir()}, names)
            for name in ("many", "first", "figures"):
                shutil.rmtree(self.folder / name)

    def test_of_nodes_say_what_is_left_out(self):
        folder = self.synthetic("many", 3, nodes=100)
        lines = ["replica,node,samples,class_0,class_1"] + [f"0,{node},10,{node + 1},{100 - node}" for node in range(100)]
        (folder / "partition.csv").write_text("\n".join(lines) + "\n")
        page = self.report(folder)
        classes = next(chart for chart in page.charts if chart.get("data-name") == "classes")
        self.assertEqual(len([path for path in classes.iter("path")]), 128)
        self.assertIn("Shown are 64 of 100 nodes", page.text)
        self.assertIn("Nodes by degree", page.text)
        few = self.report(self.synthetic("few", 3, nodes=64))
        self.assertNotIn("Nodes by degree", few.text)

    def test_of_nodes_csv_leave_means_and_ends(self):
        folder = self.synthetic("run", 3)
        (folder / "nodes.csv").touch()
        os.truncate(folder / "nodes.csv", 60_000_000)  # too large to be read
        page = self.report(folder)
        self.assertIn("more than the 50 MB", page.text)
        (line,) = page.plots["spread-1"].iter("polyline")
        self.assertEqual(line.get("data-column"), "accuracy_mean")


    def test_of_size_and_time_hold_for_fifty_runs(self):
        """Of 2,000 evaluations and 1,000 nodes each: below 6 MB, in less than 10 s of a processor."""
        first = self.synthetic("runs/0", 2000, nodes=1000)
        config = (first / "config.toml").read_text()
        dice = np.random.default_rng(1)
        lines = ["replica,node,samples," + ",".join(f"class_{c}" for c in range(10))]
        lines += [f"0,{node},100," + ",".join(map(str, dice.integers(0, 30, 10))) for node in range(1000)]
        (first / "partition.csv").write_text("\n".join(lines) + "\n")
        columns = METRICS_HEADER.split(",")
        for i in range(50):
            folder = self.folder / f"runs/{i}"
            if i > 0:
                shutil.copytree(first, folder)
                (folder / "config.toml").write_text(re.sub(r"(?m)^lr = .*", f"lr = {0.1 + i}", config))
            values = np.round(dice.uniform(0.1, 0.9, (2001, len(columns))), 9)
            values[:, columns.index("replica")] = 0
            for column, factor in (("step", 1), ("epoch", 0.01), ("bytes_wire", 123456 + i), ("messages", 3000)):
                values[:, columns.index(column)] = np.floor(np.arange(2001) * factor)
            text = "\n".join(",".join(f"{value:.9g}" if value < 1e9 else f"{value:.0f}" for value in row) for row in values)
            (folder / "metrics.csv").write_text(METRICS_HEADER + "\n" + text + "\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        page = self.report(self.folder / "runs")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 10)
        self.assertLess(len(page.text.encode()), 6e6)
        self.assertEqual(len(page.rows), 40)


class Damaged(ReportTest):
    def test_folders_are_named_and_left_out(self):
        folder = self.runs()
        metrics = folder / "scsp/metrics.csv"
        metrics.write_text(metrics.read_text()[:-30] + "\n")
        (folder / "sparse_push/config.toml").write_text("[run]\nnods = 3\n")
        (folder / "foreign").mkdir()
        (folder / "foreign/thesis.tex").write_text("x")
        page = self.report(folder, self.folder / "nowhere")
        self.assertEqual(set(page.rows), {"sgp", "all_reduce"})
        for name in ("runs/scsp/metrics.csv", "runs/sparse_push/config.toml", "runs/foreign", "nowhere"):
            self.assertIn(name, self.said.stderr)
            self.assertIn(name, page.text)
        self.assertEqual(len(self.said.stderr.splitlines()), 4)

    def test_files_of_a_run_that_was_killed_while_it_wrote_have_complete_lines(self):
        folder = self.runs()
        for name in ("metrics.csv", "nodes.csv"):
            path = folder / "scsp" / name
            text = path.read_text()
            whole = text.rfind("\n", 0, -1) + 1
            path.write_text(text[:-2])  # a part of its last number
            page = self.report(folder)
            self.assertEqual(len(page.rows), 4)
            label = next(label for label, row in page.rows.items() if row["method"] == "scsp")
            row = page.rows[label]
            said = "Left out: runs/scsp: the last line of metrics.csv, which is torn"
            self.assertEqual(said in page.text, name == "metrics.csv")
            self.assertEqual(row["step"][-1], 60 if name == "metrics.csv" else 64)  # of all replicas
            if name == "nodes.csv":
                self.assertEqual([value is None for value in row["node_q50"][-2:]], [False, True])
            torn = (page.text, (folder / "scsp/nodes.csv").read_text())
            for cut in (text[:whole] + "1,", text[:whole] + text[whole:-1]):
                path.write_text(cut)
                self.assertEqual(self.report(folder).text, page.text)
            path.write_text(text)
        (folder / "scsp/metrics.csv").write_text(METRICS_HEADER[:20])
        self.assertEqual(len(self.report(folder).rows), 3)
        self.assertIn("runs/scsp/metrics.csv", self.said.stderr)

    def test_seconds_leave_the_rest(self):
        folder = self.runs() / "sgp"
        path = folder / "timing.csv"
        path.write_text(path.read_text().rpartition(",")[0])
        page = self.report(folder)
        self.assertIn("Left out: runs/sgp: seconds: timing.csv is damaged", page.text)
        (row,) = page.rows.values()
        self.assertNotIn("seconds", row)
        self.assertEqual(row["step"], [0, 20, 40, 60])

    def test_files_of_one_chart_leave_the_others(self):
        folder = self.runs() / "sgp"
        (folder / "partition.csv").write_text("replica,node\n0,x\n")
        (folder / "nodes.csv").write_text("step\n")
        page = self.report(folder)
        self.assertIn("accuracy_mean-step", page.plots)
        self.assertIn("sgp/partition.csv", page.text)
        self.assertIn("sgp/nodes.csv", page.text)

    def test_folders_alone_are_an_error(self):
        self.write("file", "x")
        for folder in ("nowhere", "file", "."):
            self.report(folder, code=2)
            self.assertEqual(len(self.said.stderr.strip().splitlines()), 1, self.said.stderr)
        done = self.command("report")
        self.assertEqual(done.returncode, 2)

    def test_runs_that_have_not_ended_are_shown(self):
        folder = self.runs() / "sgp"
        (folder / "summary.json").unlink()
        self.assertIn("not ended", self.report(folder).text)

    def test_files_that_are_no_reports_are_not_replaced(self):
        self.runs()
        mine = self.write("mine.toml", "[run]\n")
        done = self.command("report", "runs", "--out", mine)
        self.assertEqual((done.returncode, mine.read_text()), (2, "[run]\n"), done.stderr)
        self.assertIn("is there and is no report", done.stderr)
        for _ in range(2):
            self.assertEqual(self.command("report", "runs", "--out", "page.html").returncode, 0)

    def test_pages_that_cannot_be_written(self):
        folder = self.runs() / "sgp"
        self.write("file", "x")
        for out in ("file/page.html", "runs"):
            self.report(folder, out=out, code=2)


if __name__ == "__main__":
    main()
