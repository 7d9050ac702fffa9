"""`sparsepush table`: points, files, numbers, claims, and going on after whatever may happen."""

import csv
import io
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from program import ProgramTest, main, quadratic, toml
from table_numbers import Run, assert_number, column_value, mean_and_deviation, rows_of

ROOT = Path(__file__).resolve().parents[2]
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


class Points(TableTest):
    def test_a_grid_is_its_separate_runs_whatever_runs_at_once(self):
        config = self.write_table(GRID)
        first = self.table(config, "jobs1", "--jobs", 1)
        points = rows_of(first / "points.csv")
        self.assertEqual([point["name"] for point in points],
                         [f"sparse_push, keep={keep}, lr={lr}" for keep in (0.5, 0.1) for lr in (0.1, 0.05)])
        alone = self.write_config(BASE, "alone.toml")
        for index, point in enumerate(points):
            folder = self.run_ok(alone, f"run{index}", "--set", f"algorithm.keep={point['algorithm.keep']}", "--set",
                                 f"optimizer.lr={point['optimizer.lr']}")
            self.assert_same_results(folder, first / point["folder"])
        for jobs in (2, 3):
            other = self.table(config, f"jobs{jobs}", "--jobs", jobs)
            self.assertEqual(self.contents(first, True), self.contents(other, True))

    def test_each_replica_is_the_run_of_its_seed(self):
        out = self.table(self.write_table(GRID))
        for replica in rows_of(out / "replicas.csv"):
            folder = self.run_ok(self.write_config(BASE, "alone.toml"), "alone" + replica["seed"] + replica["folder"][-8:],
                                 "--set", "run.replicas=1", "--set", f"run.seed={replica['seed']}",
                                 "--set", f"algorithm.keep={replica['algorithm.keep']}",
                                 "--set", f"optimizer.lr={replica['optimizer.lr']}")
            rows = (out / replica["folder"] / "metrics.csv").read_text().splitlines()[1:]
            own = [line.partition(",")[2] for line in rows if line.startswith(replica["replica"] + ",")]
            alone = [line.partition(",")[2] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
            self.assertEqual(own, alone)

    def test_points_that_are_the_same_are_one(self):
        out = self.table(self.write_table(SWEEP))
        points = rows_of(out / "points.csv")
        self.assertEqual([point["name"] for point in points],
                         ["SGP, skew=0", "SGP, skew=0.8", "Sparse-Push, keep=0.5, skew=0", "Sparse-Push, keep=0.1, skew=0",
                          "Sparse-Push, keep=0.5, skew=0.8", "Sparse-Push, keep=0.1, skew=0.8"])
        self.assertEqual([(point["data.skew"], point["algorithm.keep"]) for point in points[:3]],
                         [("0", ""), ("0.8", ""), ("0", "0.5")])
        self.assertEqual({point["status"] for point in points}, {"finished"})
        self.assertEqual({point["steps_done"] for point in points}, {"60"})
        for point in points:
            self.assertEqual(len(point["id"]), 16)
            self.assertRegex(point["folder"], r"^points/[A-Za-z0-9._=-]+-" + point["id"][:8] + "$")
        self.assertEqual(len(list((out / "points").iterdir())), 6)

    def test_rows_are_means_over_seeds_that_are_swept(self):
        base = BASE | {"run": BASE["run"] | {"replicas": 1}}
        out = self.table(self.write_table('[sweep]\n"run.seed" = [3, 7, 8]\n', base=base))
        (row,) = rows_of(out / "table.csv")
        self.assertEqual((row["name"], row["n"], row["status"]), ("sparse_push", "3", "finished"))
        self.assertNotIn("run.seed", row)
        replicas = rows_of(out / "replicas.csv")
        self.assertEqual([replica["seed"] for replica in replicas], ["3", "7", "8"])
        mean = sum(float(replica["accuracy_mean"]) for replica in replicas) / 3
        self.assertAlmostEqual(float(row["accuracy_mean"]), mean, delta=1e-9)
        self.refused("seed 4 occurs twice", text=toml(BASE) + '[sweep]\n"run.seed" = [3, 4]\n')

    def test_any_key_can_be_swept(self):
        keys = ('"topology.name" = ["directed_ring", "complete"]\n"model.hidden" = [[4], [8, 4]]\n'
                '"optimizer.milestones" = [[], [1]]\n')
        out = self.table(self.write_table("[sweep]\n" + keys))
        names = [row["name"] for row in rows_of(out / "table.csv")]
        self.assertEqual(len(names), 8)
        self.assertIn("sparse_push, hidden=[8, 4], milestones=[1], topology=complete", names)

    def test_points_may_be_sections_and_keys_may_be_dotted(self):
        inline = self.table(self.write_table(SWEEP), "inline")
        text = ('\n[sweep]\ndata.skew = [0.0, 0.8]\nalgorithm.keep = [0.5, 0.1]\n[[sweep.point]]\nname = "SGP"\n'
                'algorithm.name = "sgp"\n[[sweep.point]]\nname = "Sparse-Push"\n')
        sections = self.table(self.write_table(text), "sections")
        self.assertEqual((inline / "table.csv").read_text(), (sections / "table.csv").read_text())

    def test_what_a_point_sets_itself_wins(self):
        text = GRID + 'point = [{ name = "A" }, { name = "B", "algorithm.keep" = 0.1 }]\n'
        names = [row["name"] for row in rows_of(self.table(self.write_table(text)) / "table.csv")]
        self.assertEqual(names, ["A, keep=0.5, lr=0.1", "A, keep=0.5, lr=0.05", "A, keep=0.1, lr=0.1",
                                 "A, keep=0.1, lr=0.05"])
        note = 'the same settings under several names: "A, keep=0.1, lr=0.1" is B as well; "A, keep=0.1, lr=0.05" is B as well'
        self.assertIn(f"warning: {note}\n", self.said.stderr)
        self.assertIn(f"- Note: {note}.\n", (self.folder / "out/table.md").read_text())

    def test_set_changes_the_base(self):
        config = self.write_table(SWEEP)
        out = self.table(config, "out", "--set", "run.steps=40", "--set", "algorithm.averaging_rate=0.1")
        self.assertEqual({point["steps"] for point in rows_of(out / "points.csv")}, {"40"})
        self.refused("--set algorithm.keep=0.2", "a.toml:", config=config, arguments=["--set", "algorithm.keep=0.2"])
        self.refused("--set data.alpha=0.2", "counts for no point", config=config, arguments=["--set", "data.alpha=0.2"])


class Numbers(TableTest):
    def test_all_are_those_of_the_run_folders(self):
        out = self.table(self.write_table(SCSP, SETTINGS))
        points = {point["name"]: point for point in rows_of(out / "points.csv")}
        runs = {name: Run(out / point["folder"], 60, 0.7, 600) for name, point in points.items()}

        def reference(name):
            return "SGP, " + name.rpartition(", ")[2]

        def value(name, column, replica):
            return column_value(runs[name], lambda: runs[reference(name)], column, replica)

        rows = rows_of(out / "table.csv")
        self.assertEqual(list(rows[0]), ["name", "data.skew", "algorithm.keep", "status", "n",
                                         *(column + end for column in COLUMNS for end in ("", "_sd"))])
        self.assertEqual(len(rows), 10)
        counted = 0
        for row in rows:
            for column in COLUMNS:
                values = [value(row["name"], column, replica) for replica in range(2)]
                mean, sd = mean_and_deviation(values)
                counted += mean is not None
                assert_number(self, row[column], mean, (row["name"], column))
                if sd is None or sd > 1e-6 * abs(mean):  # else nothing but rounding
                    assert_number(self, row[column + "_sd"], sd, (row["name"], column + "_sd"))
        self.assertGreater(counted, 80)
        for row in rows_of(out / "replicas.csv"):
            self.assertEqual(row["seed"], str(1 + int(row["replica"])))
            for column in COLUMNS:
                assert_number(self, row[column], value(row["name"], column, int(row["replica"])), (row["name"], column))

    def test_columns_of_a_problem_without_accuracy(self):
        self.write("problem.safetensors", quadratic(4, (30,)))
        base = {"run": {"nodes": 4, "steps": 20}, "data": {"name": "quadratic", "file": "problem.safetensors"}}
        out = self.table(self.write_table(GRID, base=base))
        self.assertEqual(list(rows_of(out / "table.csv")[0])[-4:], ["test_loss", "test_loss_sd", "consensus", "consensus_sd"])
        self.assertEqual(rows_of(out / "table.csv")[0]["test_loss_sd"], "")  # one replica
        self.assertIn("- n = 1: one run, without deviation.\n", (out / "table.md").read_text())

    def test_markdown_and_latex_have_the_cells(self):
        labels = 'labels = { "data.skew=0.8" = "a_b & 50 % <c>", "algorithm.keep" = "kept|#$" }\n'
        out = self.table(self.write_table(SWEEP, SETTINGS, labels))
        markdown = (out / "table.md").read_text()
        self.assertEqual(self.said.stdout, markdown)
        head = markdown.splitlines()[0]
        self.assertIn("kept\\|#\\$", head)
        self.assertIn("a_b \\& 50 % \\<c\\>", head)
        self.assertEqual(markdown.splitlines()[2].count(" | "), 2 + 2 * len(COLUMNS) - 1)
        for word in ("n = 2", "standard deviation", "Deviations of bytes below 0.05 %", "sparsepush 0.", "cpu, 1 thread", "seconds in all", "sparsepush table"):
            self.assertIn(word, markdown)
        latex = (out / "table.tex").read_text()
        self.assertTrue(latex.startswith("\\begin{tabular}{ll" + "r" * 2 * len(COLUMNS) + "}\n\\toprule\n"))
        self.assertIn("\\multicolumn{10}{c}{a\\_b \\& 50 \\% \\textless{}c\\textgreater{}}", latex)
        (row,) = [row for row in rows_of(out / "table.csv") if row["name"] == "SGP, skew=0.8"]
        percent = f"{100 * float(row['accuracy_mean']):.1f} ± {100 * float(row['accuracy_mean_sd']):.1f}"
        self.assertIn(percent, markdown)
        self.assertIn(percent.replace("±", "$\\pm$"), latex)


class Claims(TableTest):
    def claim(self, *lines, row='{ name = "Sparse-Push", "algorithm.keep" = 0.1, "data.skew" = 0.0 }'):
        return "\n[[claim]]\n" + "\n".join([f"row = {row}", 'source = "nobody"', *lines]) + "\n"

    def test_are_judged_and_decide_the_exit_code(self):
        def settings(bound):
            return SETTINGS + self.claim('name = "few bytes"', 'metric = "bytes_wire:ratio"', f"at_least = {bound}")

        out = self.table(self.write_table(SWEEP, settings(1.5)))
        (claim,) = rows_of(out / "claims.csv")
        self.assertEqual(list(claim), ["claim", "row", "metric", "value", "sd", "n", "relation", "bound", "tolerance",
                                       "judged", "verdict", "clear", "source"])
        self.assertEqual([claim[key] for key in ("claim", "row", "n", "relation", "bound", "judged", "verdict", "source")],
                         ["few bytes", "Sparse-Push, keep=0.1, skew=0", "2", "at_least", "1.5", "true", "pass", "nobody"])
        row = next(row for row in rows_of(out / "table.csv") if row["name"] == claim["row"])
        self.assertEqual((claim["value"], claim["sd"]), (row["bytes_wire:ratio"], row["bytes_wire:ratio_sd"]))
        self.table(self.write_table(SWEEP, settings(1000)), code=3)
        self.assertEqual(rows_of(out / "claims.csv")[0]["verdict"], "fail")
        self.assertIn("| fail |", (out / "table.md").read_text())
        self.table(self.write_table(SWEEP, settings(1000).replace("at_least", "judged = false\nat_least")))
        self.assertEqual(rows_of(out / "claims.csv")[0]["judged"], "false")

    def test_bounds_tolerances_and_intervals(self):
        columns = '[table]\ncolumns = ["test_loss"]\n'
        out = self.table(self.write_table(SWEEP, columns))
        row = next(r for r in rows_of(out / "table.csv") if r["name"] == "Sparse-Push, keep=0.1, skew=0")
        mean, sd = float(row["test_loss"]), float(row["test_loss_sd"])  # whose bounds may be above 1
        half = 12.7062 * sd / math.sqrt(2)
        self.assertGreater(half, 0)
        cases = [("at_most", mean + 1e-6, 0, "pass"), ("at_most", mean - 1e-6, 0, "fail"),
                 ("at_most", mean - 1e-6, 1e-5, "pass"), ("at_least", mean + 1e-6, 0, "fail"),
                 ("at_least", mean + 1e-6, 1e-5, "pass"), ("near", mean + 0.01, 0.011, "pass"),
                 ("near", mean - 0.01, 0.009, "fail"), ("at_most", mean + half * 1.01, 0, "pass"),
                 ("at_least", mean + half * 0.99, 0, "fail")]
        text = "".join(self.claim(f'name = "{i}"', 'metric = "test_loss"', f"{relation} = {bound!r}",
                                  f"tolerance = {tolerance}") for i, (relation, bound, tolerance, _) in enumerate(cases))
        self.table(self.write_table(SWEEP, columns, text), code=3)
        claims = rows_of(out / "claims.csv")
        self.assertEqual([claim["verdict"] for claim in claims], [verdict for *_, verdict in cases])
        self.assertEqual([claim["clear"] for claim in claims],
                         ["yes" if abs(bound - mean) > half else "no" for _, bound, *_ in cases])

    def test_a_claim_is_judged_for_each_of_its_rows(self):
        text = self.claim('name = "learns"', 'metric = "accuracy_mean"', "at_least = 0.34", row='{ name = "SGP" }')
        out = self.table(self.write_table(SWEEP, text))
        self.assertEqual([claim["row"] for claim in rows_of(out / "claims.csv")], ["SGP, skew=0", "SGP, skew=0.8"])

    def test_a_claim_about_what_is_not_finished_is_missing(self):
        text = SETTINGS + self.claim('name = "few bytes"', 'metric = "bytes_wire:ratio"', "at_least = 1.5")
        out = self.table(self.write_table(SWEEP, text), "out", "--only", "SGP", code=1)
        (claim,) = rows_of(out / "claims.csv")
        self.assertEqual((claim["verdict"], claim["value"], claim["clear"]), ("missing", "", ""))


class GoingOn(TableTest):
    def test_a_finished_table_is_left_as_it_is(self):
        config = self.write_table(SWEEP, SETTINGS)
        out = self.table(config)
        before = self.contents(out)
        self.table(config)
        self.assertEqual(self.contents(out), before)
        self.assertEqual((out / "table.toml").read_text(), config.read_text())
        done = self.command("table", "a.toml", "--out", "./out", "--backend", "cpu")  # the same in other words
        self.assertEqual((done.returncode, done.stdout), (0, before["table.md"].decode()))
        self.assertEqual(self.contents(out), before)

    def test_after_kill_9(self):
        longer = BASE | {"run": BASE["run"] | {"steps": 1500, "checkpoint_steps": 100}}
        config = self.write_table(GRID, base=longer)
        begin = time.monotonic()
        expected = self.table(config, "expected")
        duration = time.monotonic() - begin
        dice = random.Random(1)
        finished = {}
        for attempt in range(8):
            command = [self.program, "table", config, "--out", self.folder / "killed", "--quiet", "--jobs", "2"]
            process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(duration * dice.uniform(0.05, 0.5))
            process.kill()
            process.wait()
            self.assert_points_are_true(self.folder / "killed")
            for folder, before in finished.items():  # none is trained again
                self.assertEqual((folder / "checkpoint.safetensors").stat().st_mtime_ns, before)
            for summary in (self.folder / "killed" / "points").glob("*/summary.json"):
                if '"status": "finished"' in summary.read_text():
                    finished[summary.parent] = (summary.parent / "checkpoint.safetensors").stat().st_mtime_ns
        killed = self.table(config, "killed")
        self.assertEqual(self.contents(expected, True), self.contents(killed, True))

    def assert_points_are_true(self, out):
        """points.csv of a killed table has every point, and no status that its folder does not."""
        if not (out / "points.csv").exists():
            return
        points = rows_of(out / "points.csv")
        self.assertEqual(len(points), 4)
        for point in points:
            self.assertEqual(point["steps"], "1500")
            self.assertIn(point["status"], ("waiting", "running", "finished", "failed"))
            summary = out / point["folder"] / "summary.json"
            if point["status"] == "finished":
                self.assertEqual(json.loads(summary.read_text())["status"], "finished")

    def test_an_edited_file_keeps_the_points_that_it_still_has(self):
        config = self.write_table(GRID)
        out = self.table(config)
        trained = {p["id"]: (out / p["folder"] / "log.txt").read_text() for p in rows_of(out / "points.csv")}
        wider = GRID.replace("[0.5, 0.1]", "[0.2, 0.1]").replace('"optimizer.lr" = [0.1, 0.05]', "") + (
            'point = [{ name = "slow", "optimizer.lr" = 0.05 }, { name = "fast", "optimizer.lr" = 0.1 }]\n')
        self.table(self.write_table(wider))
        points = rows_of(out / "points.csv")
        self.assertEqual([p["name"] for p in points], ["slow, keep=0.2", "slow, keep=0.1", "fast, keep=0.2", "fast, keep=0.1"])
        self.assertEqual([p["id"] in trained for p in points], [False, True, False, True])
        for point in points:
            if point["id"] in trained:
                self.assertEqual((out / point["folder"] / "log.txt").read_text(), trained[point["id"]])
        (line,) = [line for line in self.said.stderr.splitlines() if "not in the table any more" in line]
        self.assertEqual(len(re.findall(r"points/", line)), 2)
        self.assertEqual(len(list((out / "points").iterdir())), 6)

    def test_after_ctrl_c(self):
        longer = BASE | {"run": BASE["run"] | {"steps": 200_000, "checkpoint_steps": 200_000},
                         "evaluate": {"every_steps": 100_000}}
        config = self.write_table(GRID, base=longer)
        process = subprocess.Popen([self.program, "table", config, "--out", "out", "--jobs", "2", "--only", "lr",
                                    "--retry"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while len(list(self.folder.glob("out/points/*/metrics.csv"))) < 2:
            time.sleep(0.02)
        time.sleep(0.3)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(said.strip().splitlines()[-1], f"stopped; go on with: sparsepush table {config} --out out --jobs 2 --only lr --retry")
        self.assertEqual([p["status"] for p in rows_of(self.folder / "out/points.csv")],
                         ["interrupted", "interrupted", "waiting", "waiting"])
        self.assertEqual(len(list(self.folder.glob("out/points/*/checkpoint.safetensors"))), 2)

    def test_only_some_points(self):
        config = self.write_table(SWEEP)
        out = self.table(config, "out", "--only", "keep=0.1", code=1)
        self.assertEqual([row["status"] for row in rows_of(out / "table.csv")],
                         ["waiting", "waiting", "waiting", "finished", "waiting", "finished"])
        self.assertIn("waiting", (out / "table.md").read_text())
        self.table(config)
        done = self.command("table", config, "--out", "out", "--only", "nothing")
        self.assertEqual(done.returncode, 2)

    def test_only_points_of_a_name_that_they_have_or_had(self):
        self.table(self.write_table(SWEEP), "out", "--only", "SGP_skew=0-", code=1)
        renamed = self.write_table(SWEEP.replace('"SGP"', '"gossip"'))
        for only, found in (("gossip_skew=0-", "0 to train"), ("SGP_skew=0-", "0 to train"), ("gossip", "1 to train")):
            self.table(renamed, "out", "--only", only, code=1)
            self.assertIn(f"6 points: {found}", self.said.stderr)

    def test_a_point_that_diverges_is_a_result(self):
        # Huge rates with data that are far apart: parameters overflow.
        text = '[sweep]\n"optimizer.lr" = [0.1, 1e6]\n'
        base = BASE | {"optimizer": {"weight_decay": 0.9}}
        config = self.write_table(text, base=base)
        out = self.table(config, code=1)
        rows = rows_of(out / "table.csv")
        self.assertEqual([row["status"] for row in rows], ["finished", "diverged"])
        self.assertEqual((rows[1]["accuracy_mean"], rows[1]["n"]), ("", "0"))
        self.assertIn("diverged (1 of 2)", (out / "table.md").read_text())
        before = self.contents(out)
        self.table(config, code=1)
        self.assertEqual(self.contents(out), before)
        (diverged,) = [p["folder"] for p in rows_of(out / "points.csv") if p["status"] == "diverged"]
        results = self.contents(out, True)
        (out / diverged / "left").write_text("by the first try")
        self.table(config, "out", "--retry", code=1)
        self.assertEqual(self.contents(out, True), results)

    def test_a_full_disk_fails_a_point_and_the_next_call_mends_it(self):
        config = self.write_table(GRID)
        out = self.folder / "out"

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # no checkpoint has room

        done = subprocess.run([self.program, "table", config, "--out", "out"], cwd=self.folder, capture_output=True,
                              text=True, preexec_fn=limit, timeout=self.timeout)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual({p["status"] for p in rows_of(out / "points.csv")}, {"failed"})
        self.assertIn("File too large", done.stderr)
        self.table(config)
        self.assertEqual(self.contents(out, True), self.contents(self.table(config, "straight"), True))

    def test_a_damaged_point_fails_and_the_others_go_on(self):
        config = self.write_table(GRID)
        out = self.table(config)
        damaged = out / rows_of(out / "points.csv")[1]["folder"]
        for cut in (200, 2):  # of the latter a part of the last number is left
            (damaged / "metrics.csv").write_text((damaged / "metrics.csv").read_text()[:-cut])
            self.table(config, code=1)
            self.assertEqual([row["status"] for row in rows_of(out / "table.csv")], ["finished", "failed", "finished", "finished"])
            self.assertIn("metrics.csv", self.said.stderr)
            self.assertIn("--retry", self.said.stderr)
            self.table(config, "out", "--retry")

    def test_a_point_whose_folder_holds_another_run_fails(self):
        config = self.write_table(GRID)
        out = self.table(config)
        one, other = (out / point["folder"] for point in rows_of(out / "points.csv")[:2])
        before = self.contents(other)
        for path in one.iterdir():
            shutil.copy(path, other)
        self.table(config, code=1)
        self.assertEqual([row["status"] for row in rows_of(out / "table.csv")], ["finished", "failed", "finished", "finished"])
        self.assertIn("optimizer.lr is 0.05, and 0.1", self.said.stderr)
        shutil.rmtree(other)
        self.table(config)
        self.assertEqual(self.contents(other)["metrics.csv"], before["metrics.csv"])

    def test_after_being_killed_in_its_first_write(self):
        (self.folder / "out").mkdir()
        for name in (".lock", "points.csv.tmp"):
            (self.folder / "out" / name).write_text("")
        self.table(self.write_table(GRID))


class Folders(TableTest):
    def test_are_for_one_table_at_a_time(self):
        longer = BASE | {"run": BASE["run"] | {"steps": 10_000_000}}
        config = self.write_table(GRID, base=longer)
        command = [self.program, "table", config, "--out", "out", "--quiet"]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not (self.folder / "out/points.csv").exists():
                time.sleep(0.02)
            done = self.command(*command[1:])
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("in use", done.stderr)
        finally:
            process.kill()
            process.wait()
        self.table(self.write_table(GRID))  # the lock has died with it

    def test_as_many_points_at_once_as_there_are_processors_for_their_shards(self):
        processors = len(os.sched_getaffinity(0))
        shards = min(4, processors)
        self.table(self.write_table(GRID, base=BASE | {"run": BASE["run"] | {"shards": shards}}))
        self.assertIn(f"{max(1, min(4, processors // shards))} at once", self.said.stderr)

    def test_that_hold_something_else_are_refused(self):
        (self.folder / "other").mkdir()
        (self.folder / "other" / "thesis.tex").write_text("x")
        done = self.command("table", self.write_table(GRID), "--out", "other")
        self.assertEqual(done.returncode, 2)
        self.assertIn("other is not empty and holds no table", done.stderr)
        self.assertEqual([path.name for path in (self.folder / "other").iterdir()], ["thesis.tex"])
        own = self.folder / "thesis"
        own.mkdir()
        config = self.write("thesis/table.toml", toml(BASE) + GRID)
        for name in ("table.tex", "points.csv"):
            (own / name).write_text("my own")
        before = self.contents(own)
        done = self.command("table", config, "--out", own)
        self.assertEqual(done.returncode, 2)
        self.assertIn("thesis is not empty and holds no table", done.stderr)
        self.assertEqual(self.contents(own), before)

    def test_go_on_without_points_csv(self):
        """As a machine may leave it that lost its power: what is in it stands in the points' folders, too."""
        config = self.write_table(GRID)
        out = self.table(config)
        before = self.contents(out)
        for lose in (Path.unlink, lambda path: path.write_text("")):
            lose(out / "points.csv")
            listed = self.command("list", out, "--csv").stdout
            self.assertEqual(len(list(csv.DictReader(listed.splitlines()))), 4, listed)
            self.assertEqual(self.command("table", config, "--out", out, "--quiet").returncode, 0)
            self.assertEqual(self.contents(out), before)

    def test_whose_report_cannot_be_written_are_tables_nevertheless(self):
        config = self.write_table(GRID)
        out = self.table(config)
        for path in (out / "figures").iterdir():
            path.unlink()
        (out / "figures").rmdir()
        (out / "figures").write_text("mine")
        done = self.command("table", config, "--out", out, "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: no report: ", done.stderr)

    def test_that_cannot_be_written_are_refused(self):
        self.write("file", "x")
        done = self.command("table", self.write_table(GRID), "--out", "file/out")
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_are_called_like_the_file(self):
        config = self.write_table(GRID, name="paper.toml")
        self.assertEqual(self.command("table", config, "--quiet").returncode, 0)
        self.assertTrue((self.folder / "tables/paper/table.csv").exists())


class Divergence(TableTest):
    def test_is_noted_of_rows_that_finish(self):
        base = {"run": {"nodes": 4, "steps": 300, "replicas": 2}, "model": {"name": "softmax"}, "evaluate": {"every_steps": 50}}
        out = self.table(self.write_table('[sweep]\n"algorithm.averaging_rate" = [0.5, 0.01]\n',
                                          base=base | {"algorithm": {"keep": 0.01}}))
        words = "loss grew to ten times that of the start"
        notes = [line for line in (out / "table.md").read_text().splitlines() if words in line]
        self.assertEqual(notes, [f"- Note: a {words}, so that the run seems to diverge: "
                                 '"sparse_push, averaging_rate=0.5" (seeds 1, 2).'])
        self.assertEqual((out / "report.html").read_text().count(f"a {words} in 2 of 2 replicas, so that it seems to diverge."), 1)
        for point, warned in zip(rows_of(out / "points.csv"), (True, False)):
            self.assertEqual(point["status"], "finished")
            self.assertEqual("seems to diverge" in (out / point["folder"] / "log.txt").read_text(), warned)


class Errors(TableTest):
    def test_name_file_line_point_and_key(self):
        base = toml(BASE)
        line = base.count("\n") + 1

        def refused(text, *words):
            with self.subTest(text):
                self.refused(*words, text=base + text)

        refused("", "expected a section [sweep]", "sparsepush run")
        refused('[sweep]\n"algorithm.kep" = [1]\n', f"refused.toml:{line + 1}: unknown key \"kep\"", '"keep"')
        refused('[sweep]\n"algorithm.keep" = 0.1\n', f"refused.toml:{line + 1}: algorithm.keep: expected a list")
        refused('[sweep]\n"algorithm.keep" = []\n', "an empty one")
        refused('[sweep]\n"algorithm.keep" = [0.1, 2]\n', f"refused.toml:{line + 1}: point", "0 < keep <= 1, got 2")
        refused('[sweep]\n"data.alpha" = [0.1, 1.0]\n',
                f'refused.toml:{line + 1}: data.alpha: counts for no point of the table (data.partition is "skew")')
        refused('[sweep]\n"algorithm.name" = ["sgp", "d_psgd"]\n"algorithm.keep" = [0.1]\n',
                'counts for no point of the table (algorithm.name is "sgp", algorithm.name is "d_psgd")')
        refused('[sweep]\nkeep = [0.1]\n', f'refused.toml:{line + 1}: unknown key "keep"; did you mean "algorithm.keep"?')
        refused('[[claim]]\n[sweeps]\n', f'refused.toml:{line + 1}: unknown section "sweeps"; did you mean "sweep"?')
        refused('[tables]\n[sweep]\n"algorithm.keep" = [1]\n', 'unknown section "tables"; did you mean "table"?')
        refused('[sweep]\n"run.threads" = [1, 2]\n', "run.threads", "cannot be swept")
        refused('[sweep]\n', "expected keys with lists of values, or points")
        refused('[sweep]\npoint = [{ name = "A", "algorithm.name" = "sgp", "algorithm.keep" = 0.5 }]\n',
                "algorithm.keep", 'point "A"')
        refused('[sweep]\npoint = [{ name = "A", "optimizer.lr" = 0.5 }, { name = "A" }]\n', '"A"', "a name of its own")
        refused('[[sweep.point]]\nname = "A"\n[[sweep.point]]\nname = "B"\ntopology.name = "star"\nalgorithm.name = "d_psgd"\n',
                f'refused.toml:{line + 5}: point "B": algorithm.name', "doubly stochastic")
        refused('[sweep]\n"run.nodes" = [4, 100000000]\n', "nodes")

    def test_of_a_precision_that_the_backend_does_not_have(self):
        images = BASE | {"data": {"name": "digits"}, "model": {"name": "resnet20"}}
        for order in ('["fp32", "tf32"]', '["tf32", "fp32"]'):
            self.refused("run.precision", "tensor cores", '"auto"',
                         text=toml(images) + f'[sweep]\n"run.precision" = {order}\n')

    def test_of_columns_references_and_claims(self):
        base = toml(BASE) + SWEEP
        line = base.count("\n") + 1

        def refused(text, *words):
            with self.subTest(text):
                self.refused(*words, text=base + text)

        where = f"refused.toml:{line + 1}: "
        refused('[table]\ncolums = ["a"]\n', where, '"colums"', '"columns"')
        refused('[table]\ncolumns = ["accuracy_men"]\n', where, '"accuracy_mean"')
        refused('[table]\ncolumns = ["accuracy_mean@last5"]\n', where, '"SGP, skew=0" has only 4 evaluations')
        refused('[table]\ncolumns = ["accuracy_mean@reach"]\n', where, "needs table.reach")
        refused('[table]\ncolumns = ["bytes_wire@full"]\n', where, "needs table.full_steps")
        refused('[table]\ncolumns = ["bytes_wire:ratio"]\n', where, "needs table.reference")
        refused('[table]\nreference = "sgp"\n', where, 'matches no row for "SGP, skew=0"; rows are called "SGP", "Sparse-Push"')
        refused('[table]\nreference = "Sparse-Push"\n', where,
                'matches 2 rows for "SGP, skew=0"; they differ in algorithm.keep: give the reference a value of it')
        refused('[table]\nreference = { name = "SGP", "data.skew" = 0.5 }\n', where, "; data.skew is 0, 0.8\n")
        refused('[table]\nreference = { name = "SGP", "algorithm.keep" = 0.1 }\n', "; algorithm.keep does not count there\n")
        self.refused('for "all, skew=0"; its rows have other values of data.skew: give the reference one\n',
                     text=toml(BASE) + '[sweep]\n"data.skew" = [0.0, 0.8]\npoint = [{ name = "one", "data.skew" = 0.3 }, '
                     '{ name = "all" }]\n[table]\nreference = "one"\n')
        refused('[table]\nacross = "optimizer.lr"\n', where, "key of the grid")
        refused('[table]\nspread = "wide"\n', where, "sd, ci95, none")
        refused('[table]\nlabels = { "data.skew=0.7" = "x" }\n', where, "data.skew=0.7")
        refused('[table]\ncolumns = ["accuracy"]\nlabels = { "accuracy_mean" = "x" }\n', where, 'unknown metric "accuracy"')
        refused('[table]\ncolumns = ["seconds"]\nlabels = { "accuracy_mean" = "x" }\n', '"accuracy_mean" is no column')
        claim = '[[claim]]\nname = "a"\nsource = "b"\nmetric = "accuracy_mean"\n'
        refused(claim + 'row = { name = "nobody" }\nat_most = 1\n', f"refused.toml:{line + 4}: ",
                'claim.row: { name = "nobody" } matches no row of the table; rows are called "SGP", "Sparse-Push"\n')
        refused(claim + 'row = { "algorithm.keep" = 0.3 }\nat_most = 1\n', "; algorithm.keep is 0.5, 0.1\n")
        refused(claim + 'row = { keep = 0.1 }\nat_most = 1\n',
                f'refused.toml:{line + 4}: unknown key "keep"; did you mean "algorithm.keep"?')
        refused(claim + "atmost = 0.01\n", f'refused.toml:{line + 4}: unknown key "atmost" of claim; did you mean "at_most"?')
        refused(claim, "expected one of at_most, at_least, near")
        refused(claim + "at_most = 1\nat_least = 0\n", "expected only one of at_most, at_least, near")
        refused(claim + "near = 0.5\n", "tolerance")
        refused(claim.replace('source = "b"\n', "") + "at_most = 1\n", "source")

    def test_of_percent_where_fractions_are_meant(self):
        base = toml(BASE) + SWEEP
        line = base.count("\n") + 1
        words = "expected at most 1 in magnitude: accuracies and their gaps are fractions, such as 0.9 for 90 %"
        self.refused(f"refused.toml:{line + 1}: table.reach: {words}, got integer 90", text=base + "[table]\nreach = 90\n")
        settings = '[table]\nreference = "SGP"\n[[claim]]\nname = "a"\nsource = "b"\n'
        for metric in ("accuracy_mean", "accuracy_mean_model@best:gap"):
            for bound in ("at_most = 5", "at_least = -1.5", "near = 80\ntolerance = 1", "near = 0.5\ntolerance = 2"):
                with self.subTest(metric=metric, bound=bound):
                    text = base + settings + f'metric = "{metric}"\n{bound}\n'
                    self.refused("claim." + ("tolerance" if "0.5" in bound else bound.split()[0]), words, text=text)
        for metric in ("accuracy_mean:ratio", "bytes_wire:ratio", "test_loss"):
            config = self.write("plan.toml", base + settings + f'metric = "{metric}"\nat_least = 5\n')
            done = self.command("plan", config)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_of_sections_are_the_same_of_each_command(self):
        config = self.write("a.toml", toml(BASE) + '[sweeps]\n"algorithm.keep" = [0.1]\n[[claim]]\n')
        for command in ("table", "plan", "run"):
            done = self.command(command, config)
            self.assertEqual(done.returncode, 2)
            self.assertIn('unknown section "sweeps"; did you mean "sweep"?', done.stderr)
        done = self.command("table", self.write_table(SWEEP), "--set", "table.spread=ci95")
        self.assertEqual((done.returncode, done.stderr.strip()), (2, "--set table.spread=ci95: [table] is only set in the file"))

    def test_other_commands_name_the_one_for_tables(self):
        config = self.write_table(SWEEP)
        for command in (["run", config], ["topology", config]):
            done = self.command(*command)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"sparsepush table {config}", done.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.toml"])

    def test_keys_of_the_base_that_count_nowhere_are_named(self):
        base = BASE | {"data": BASE["data"] | {"alpha": 0.3}}
        self.table(self.write_table(GRID, base=base))
        self.assertIn("keys that count for no point: data.alpha", self.said.stderr)


class Page(TableTest):
    def test_the_example_comes_out_as_it_is_shown(self):
        page = (ROOT / "docs/tables.md").read_text()
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        example = next(block for language, block in blocks if language == "toml")
        shown = next(block for _, block in blocks if block.startswith("| method"))
        self.table(self.write("two_methods.toml", example), code=3)

        def words(text):
            """What no processor changes: lines of the two tables, without decimals."""
            lines = [line for line in text.splitlines() if line.startswith("|")]
            return [re.sub(r"[\d.]+ ± [\d.]+", "#", line) for line in lines]

        self.assertEqual(words(self.said.stdout), words(shown))


class Planned(TableTest):
    def test_a_file_is_read_once(self):
        config = self.write_table(SWEEP)
        for command in (["table", "/dev/stdin", "--out", "out", "--quiet"], ["plan", "/dev/stdin"]):
            done = subprocess.run([self.program, *command], cwd=self.folder, input=config.read_text(), capture_output=True,
                                  text=True, timeout=self.timeout)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_points_are_listed(self):
        done = self.command("plan", self.write_table(SWEEP))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  Sparse-Push, keep=0.1, skew=0.8\n", done.stdout)
        self.assertIn("6 points", done.stdout)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.toml"])

    def test_bytes_are_those_that_are_sent(self):
        own = "[topology]\nname = \"erdos_renyi\"\nprobability = 0.6\n"  # each seed draws another number of edges
        for name, topology in (("one", ""), ("own", own)):
            with self.subTest(topology):
                config = self.write_table(topology, '[sweep]\n"algorithm.name" = ["sgp"]\n', name=f"{name}.toml")
                planned = self.command("plan", config).stdout
                out = self.table(config, name)
                folder = out / rows_of(out / "points.csv")[0]["folder"]
                sent = [int(row["bytes_wire"]) for row in rows_of(folder / "metrics.csv") if row["step"] == "60"]
                self.assertEqual(len(set(sent)), 1 if name == "one" else 2)
                self.assertIn(f"{sum(sent) / 1e3:.1f} kB sent", planned)


if __name__ == "__main__":
    main()
