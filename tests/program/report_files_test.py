"""The files of `sparsepush report`: they need nothing else, hold any text, stay small, and leave out what is damaged."""

import html
import os
import re
import resource
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np

from program import METRICS_HEADER, main
from report_reading import Page, ReportTest

HARD = "a_%&#$<b>\"'</script>"


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
