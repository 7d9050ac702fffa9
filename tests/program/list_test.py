"""`sparsepush list`: run folders below others, a line each, whatever they hold."""

import csv
import io
import json
import os
import signal
import subprocess
import time

from program import METRICS_HEADER, ProgramTest, main, toml

COLUMNS = ("folder,status,method,keep,data,partition,topology,nodes,replicas,step,accuracy_mean,accuracy_mean_model,"
           "test_loss,bytes_wire,seconds,finished,version,config_hash").split(",")
CONFIG = {
    "run": {"nodes": 4, "steps": 20, "replicas": 2},
    "data": {"name": "synthetic", "samples": 300, "features": 8, "classes": 3, "batch": 4, "partition": "skew"},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 10},
}


class ListTest(ProgramTest):
    timeout = 60

    def listed(self, *arguments, **options):
        """The lines of --csv as dicts."""
        done = subprocess.run([self.program, "list", *arguments, "--csv"], cwd=self.folder, capture_output=True,
                              timeout=self.timeout, **options)  # not as text: that would change line feeds
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        lines = csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
        self.assertEqual(lines.fieldnames, COLUMNS)
        return list(lines)

    def statuses(self, *arguments, **options):
        return {line["folder"]: line["status"] for line in self.listed(*arguments, **options)}

    def train(self, out="runs/a", *arguments):
        return self.run_ok(self.write_config(CONFIG), out, *arguments)

    def synthesize(self, folder, step, replicas=1, rows=3, **summary):
        """A run's folder, written by hand; its accuracies say which replica and step they are of."""
        folder.mkdir(parents=True)
        (folder / ".lock").write_text("")
        (folder / "config.toml").write_text(toml({
            "run": {"nodes": 16, "replicas": replicas}, "data": {"name": "digits", "partition": "dirichlet"},
            "topology": {"name": "ring"}, "algorithm": {"name": "choco", "keep": 0.05}}))
        lines = [METRICS_HEADER]
        for at in range(step - rows + 1, step + 1):
            for replica in range(replicas):
                values = {"replica": replica, "step": at, "accuracy_mean": f"{(replica + at) / 1024:.9g}",
                          "accuracy_mean_model": "0.5", "test_loss": "nan", "bytes_wire": 12345678901234 + 2 * replica}
                lines.append(",".join(str(values.get(column, "")) for column in METRICS_HEADER.split(",")))
        (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
        (folder / "timing.csv").write_text("step,seconds\n1,1.5\n2,2.5\n2,0.25\n3,1.25\n")
        (folder / "log.txt").write_text("2026-01-02 03:04:05 started\n2026-01-02 03:04:09 finished\n")
        (folder / "summary.json").write_text(json.dumps({
            "status": "finished", "version": "0.0.9", "config_hash": f"{step:016x}", "sgd_steps": step,
            "final_rounds": 0} | summary))
        return folder


class Lines(ListTest):
    def test_say_what_the_files_say(self):
        folder = self.train()
        summary = json.loads((folder / "summary.json").read_text())
        with open(folder / "metrics.csv", newline="") as file:
            last = list(csv.DictReader(file))[-2:]
        with open(folder / "timing.csv", newline="") as file:
            seconds = list(csv.DictReader(file))[-1]["seconds"]
        (line,) = self.listed()
        mean = {column: sum(float(row[column]) for row in last) / 2
                for column in ("accuracy_mean", "accuracy_mean_model", "test_loss", "bytes_wire")}
        for column, value in mean.items():
            self.assertAlmostEqual(float(line.pop(column)), value, delta=1e-8 * value)
        self.assertAlmostEqual(float(line.pop("seconds")), float(seconds), delta=1e-9)
        self.assertEqual(line.pop("finished"), (folder / "log.txt").read_text().splitlines()[-1][:19])
        self.assertEqual(line, {
            "folder": "runs/a", "status": "finished", "method": "sparse_push", "keep": "0.01", "data": "synthetic",
            "partition": "skew", "topology": "directed_ring", "nodes": "4", "replicas": "2", "step": "20",
            "version": summary["version"], "config_hash": summary["config_hash"]})

    def test_of_a_thousand_runs_come_newest_last(self):
        order = {}
        for index in range(1000):
            folder = self.synthesize(self.folder / f"runs/{index % 7}/r{index}", 3 + index, 1 + index % 3)
            order[f"runs/{index % 7}/r{index}"] = age = 1_700_000_000 + index * 7919 % 1000
            for path in [*folder.iterdir(), folder]:
                os.utime(path, (age, age))
        lines = self.listed()
        self.assertEqual([line["folder"] for line in lines], sorted(order, key=order.get))
        for line in lines:
            index = int(line["folder"].rpartition("/r")[2])
            step, replicas = 3 + index, 1 + index % 3
            self.assertEqual((line["step"], line["replicas"], line["config_hash"]),
                             (str(step), str(replicas), f"{step:016x}"))
            self.assertAlmostEqual(float(line["accuracy_mean"]), (step + (replicas - 1) / 2) / 1024, delta=1e-8)
            self.assertEqual(line["bytes_wire"], str(12345678901234 + replicas - 1))
            self.assertEqual((line["test_loss"], line["seconds"], line["finished"]),
                             ("", "3.75", "2026-01-02 03:04:09"))

    def test_read_the_end_of_long_metrics_only(self):
        folder = self.synthesize(self.folder / "runs/long", 9000, replicas=3, rows=9000)
        lines = (folder / "metrics.csv").read_text().splitlines()
        lines[1000] = "no numbers here"
        (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
        (line,) = self.listed()
        self.assertEqual((line["status"], line["step"]), ("finished", "9000"))

    def test_of_many_replicas_come_whole(self):
        self.synthesize(self.folder / "runs/wide", 5, replicas=700)
        (line,) = self.listed()
        self.assertAlmostEqual(float(line["accuracy_mean"]), (5 + 699 / 2) / 1024, delta=1e-8)

    def test_for_a_terminal_have_no_control_characters(self):
        self.train("runs/two\nlines\x1b[2J")
        self.train("runs/plain")
        done = self.command("list")
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn('"runs/two\\u000Alines\\u001B[2J"', lines[1])
        self.assertTrue(lines[2].startswith("runs/plain "))
        self.assertNotIn("\x1b", done.stdout)
        self.assertEqual(len({line.index("finished") for line in lines[1:]}), 1)

    def test_nothing_is_printed_where_nothing_is(self):
        done = self.command("list")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.listed(), [])
        done = self.command("list", "nowhere")
        self.assertEqual((done.returncode, done.stderr), (2, "nowhere: no such folder\n"))


class Folders(ListTest):
    def test_of_tables_are_their_points(self):
        text = toml(CONFIG) + '[sweep]\n"algorithm.keep" = [0.5, 0.1]\n'
        self.assertEqual(self.command("table", self.write("a.toml", text), "--quiet").returncode, 0)
        (self.folder / "tables/a/figures").mkdir(exist_ok=True)
        (self.folder / "tables/a/figures/a.svg").write_text("<svg/>")
        with open(self.folder / "tables/a/points.csv", newline="") as file:
            points = ["tables/a/" + row["folder"] for row in csv.DictReader(file)]
        self.assertEqual({line["folder"]: line["keep"] for line in self.listed()}, dict(zip(points, ("0.5", "0.1"))))
        for where in ("tables/a", "tables/a/points"):
            self.assertEqual(sorted(self.statuses(where)), sorted(points))
        self.assertEqual(list(self.statuses(points[0])), points[:1])

    def test_may_be_called_anything(self):
        names = ["a,b", 'say "hi"', "two\nlines", "tab\tand\rreturn", "ünïcode", " blanks ", "-dash", "\x1b[31m"]
        for name in names:
            self.synthesize(self.folder / "runs" / name, 3)
        self.assertEqual(sorted(self.statuses()), sorted(f"runs/{name}" for name in names))

    def test_that_links_lead_to_are_found_once(self):
        self.synthesize(self.folder / "runs/a", 3)
        self.synthesize(self.folder / "elsewhere/b", 3)
        (self.folder / "runs/loop").symlink_to(self.folder / "runs", True)
        (self.folder / "runs/own").symlink_to("own", True)
        (self.folder / "runs/nowhere").symlink_to("not there", True)
        (self.folder / "runs/again").symlink_to("a", True)
        (self.folder / "runs/linked").symlink_to(self.folder / "elsewhere/b", True)
        self.assertEqual(sorted(self.statuses()), ["runs/a", "runs/linked"])
        self.assertEqual(sorted(self.statuses("runs", "runs/../runs")), ["runs/a", "runs/linked"])

    def test_that_cannot_be_read_are_lines(self):
        self.synthesize(self.folder / "runs/good", 3)
        for name in ("locked", "part"):
            self.synthesize(self.folder / "runs" / name, 3)
        (self.folder / "runs/locked").chmod(0)
        (self.folder / "runs/part/metrics.csv").chmod(0)
        options = {}
        if os.geteuid() == 0:  # who can read all
            self.folder.chmod(0o755)
            options = {"user": 65534}
        self.addCleanup((self.folder / "runs/locked").chmod, 0o755)
        self.assertEqual(self.statuses(**options),
                         {"runs/good": "finished", "runs/locked": "unreadable", "runs/part": "damaged"})

    def test_of_others_and_damaged_ones_are_lines(self):
        def damaged(name, file, content):
            folder = self.synthesize(self.folder / "runs" / name, 3)
            if content is None:
                (folder / file).unlink()
            else:
                (folder / file).write_bytes(content)

        damaged("config torn", "config.toml", b"[run]\nnodes = 4\n[algor")
        damaged("config empty", "config.toml", b"")
        damaged("config gone", "config.toml", None)
        damaged("config binary", "config.toml", bytes(range(256)))
        damaged("metrics empty", "metrics.csv", b"")
        damaged("metrics gone", "metrics.csv", None)
        damaged("metrics of others", "metrics.csv", b"a,b\n1,2\n")
        damaged("metrics without numbers", "metrics.csv", METRICS_HEADER.encode() + b"\n" + b"x" * 99 + b"\n")
        damaged("metrics cut", "metrics.csv", METRICS_HEADER.encode() + b"\n0,1\n")
        damaged("timing", "timing.csv", b"step,seconds\n1\n")
        damaged("summary torn", "summary.json", b'{"status": "fin')
        damaged("summary a list", "summary.json", b"[]")
        damaged("summary empty", "summary.json", b"")
        damaged("summary unknown", "summary.json", b'{"status": "glorious"}')
        expected = {f"runs/{path.name}": "damaged" for path in (self.folder / "runs").iterdir()}
        for name, entry in (("a pipe", os.mkfifo), ("a folder", os.mkdir)):
            folder = self.synthesize(self.folder / "runs" / name, 3)
            for file in ("metrics.csv", "config.toml", "summary.json"):
                (folder / file).unlink()
                entry(folder / file)
            expected[f"runs/{name}"] = "damaged"
        torn = self.synthesize(self.folder / "runs/torn", 3, replicas=2, status="interrupted")
        (torn / "metrics.csv").write_text((torn / "metrics.csv").read_text()[:-5])  # the run before it is whole
        expected["runs/torn"] = "interrupted"
        self.write_folder("runs/thesis/chapter.tex")
        self.write_folder("runs/hugo/config.toml", 'title = "my page"\n')
        self.write_folder("runs/.hidden/config.toml", "x")
        (self.folder / "runs/empty").mkdir()
        expected |= {"runs/thesis": "foreign", "runs/hugo": "foreign"}
        lines = {line["folder"]: line for line in self.listed()}
        self.assertEqual({folder: line["status"] for folder, line in lines.items()}, expected)
        self.assertEqual((lines["runs/torn"]["step"], lines["runs/torn"]["finished"]), ("2", ""))
        self.assertEqual((lines["runs/summary torn"]["method"], lines["runs/summary torn"]["step"]), ("choco", "3"))

    def write_folder(self, path, text="x"):
        (self.folder / path).parent.mkdir(parents=True)
        (self.folder / path).write_text(text)


class Unfinished(ListTest):
    def start(self, out):
        config = self.write_config(CONFIG | {"run": CONFIG["run"] | {"steps": 10_000_000}})
        process = subprocess.Popen([self.program, "run", config, "--out", out, "--quiet"], cwd=self.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        checkpoint = self.folder / out / "checkpoint.safetensors"
        while not checkpoint.exists():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process

    def test_runs_are_running_killed_or_stopped(self):
        going, killed, stopped = (self.start(f"runs/{name}") for name in ("going", "killed", "stopped"))
        killed.kill()
        stopped.send_signal(signal.SIGINT)
        killed.wait()
        self.assertEqual(stopped.wait(self.timeout), 1)
        metrics = self.folder / "runs/going/metrics.csv"
        before = metrics.stat().st_size
        while metrics.stat().st_size == before:
            time.sleep(0.01)
        lines = {line["folder"]: line for line in self.listed()}
        self.assertEqual({folder: line["status"] for folder, line in lines.items()},
                         {"runs/going": "running", "runs/killed": "failed", "runs/stopped": "interrupted"})
        self.assertEqual(list(lines)[-1], "runs/going")
        self.assertEqual(len({line["config_hash"] for line in lines.values()}), 1)
        self.assertRegex(lines["runs/killed"]["config_hash"], "^[0-9a-f]{16}$")  # the checkpoint has it
        self.assertIsNone(going.poll())

    def test_a_run_of_which_there_is_a_lock_only(self):
        (self.folder / "runs/a").mkdir(parents=True)
        (self.folder / "runs/a/.lock").write_text("")
        self.assertEqual(self.statuses(), {"runs/a": "failed"})

    def test_who_looks_at_a_folder_does_not_stop_its_run(self):
        config = self.write_config(CONFIG)
        looking = subprocess.Popen(["sh", "-c", f'while "{self.program}" list >/dev/null; do :; done'], cwd=self.folder)
        try:
            for index in range(20):
                self.run_ok(config, f"runs/{index}")
        finally:
            looking.kill()
            looking.wait()

    def test_diverged_runs_have_an_end(self):
        diverging = CONFIG | {"optimizer": {"lr": 1e6, "weight_decay": 0.9}, "run": CONFIG["run"] | {"steps": 200}}
        done = self.command("run", self.write_config(diverging), "--out", "runs/a", "--quiet")
        self.assertEqual(done.returncode, 1)
        (line,) = self.listed()
        self.assertEqual(line["status"], "diverged")
        self.assertRegex(line["finished"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")


if __name__ == "__main__":
    main()
