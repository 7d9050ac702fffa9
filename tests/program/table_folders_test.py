"""The folder of `sparsepush table`: going on there after whatever may happen, and folders that it cannot use."""

import csv
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from program import main, toml
from table_making import BASE, GRID, SETTINGS, SWEEP, TableTest
from table_numbers import rows_of


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


if __name__ == "__main__":
    main()
