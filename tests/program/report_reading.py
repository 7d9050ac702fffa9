"""Making reports with the program, and reading them: the numbers of their rows and the lines of their charts."""

import csv
import html
import json
import math
import re
import xml.etree.ElementTree as ElementTree

from program import METRICS_HEADER, ProgramTest

BASE = {
    "run": {"nodes": 4, "steps": 60, "replicas": 2},
    "data": {"name": "synthetic", "samples": 600, "features": 8, "classes": 3, "batch": 4, "partition": "skew"},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 20},
}
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
    """A test that makes runs and reports of them in its folder."""

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
