"""Points of a table that are trained side by side, as replicas of one emulator: each has the bytes that it has alone."""

import csv
import json
import random
import re
import resource
import signal
import subprocess
import time

from program import ProgramTest, main, toml

BASE = {
    "run": {"nodes": 4, "steps": 60, "replicas": 2},
    "data": {"name": "synthetic", "samples": 600, "features": 8, "classes": 3, "batch": 4, "partition": "skew"},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 20},
    "algorithm": {"keep": 0.2, "averaging_rate": 0.2},
}
RATES = '[sweep]\n"optimizer.lr" = [0.1, 0.05, 0.2]\n'
DIVERGES = '[sweep]\n"optimizer.lr" = [0.1, 1e6, 0.2, 1e5]\n'
SPREADING = BASE | {"optimizer": {"weight_decay": 0.9}}  # huge rates make parameters overflow
# Of log and timing, and of summaries when and how long, nothing is compared.
CLOCKED = ("log.txt", "timing.csv", ".lock")


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """The bytes of every file of a run, but what the clock says."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name in CLOCKED:
            continue
        files[str(path.relative_to(folder))] = path.read_bytes()
        if path.name == "summary.json":
            files["summary.json"] = json.loads(path.read_text()) | {"seconds": 0}
    return files


def address_space(limit):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class SharedLaunches(ProgramTest):
    def write_table(self, text, base=BASE, name="a.toml"):
        return self.write(name, toml(base) + text)

    def table(self, config, out, *arguments, code=0, **options):
        done = self.command("table", config, "--out", out, *arguments, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.said = done.stderr
        return self.folder / out

    def shared(self, config, out="shared", *arguments, at_once=None, code=0):
        folder = self.table(config, out, "--jobs", 1, *arguments, code=code)
        if at_once is not None:
            self.assertIn(f"{at_once} at once", self.said)
        return folder

    def points(self, out):
        return rows_of(out / "points.csv")

    def assert_same_points(self, one, other):
        for a, b in zip(self.points(one), self.points(other), strict=True):
            self.assertEqual(a | {"seconds": ""}, b | {"seconds": ""})
            mine, yours = contents(one / a["folder"]), contents(other / b["folder"])
            self.assertEqual(list(mine), list(yours))
            for name in mine:
                self.assertEqual(mine[name], yours[name], f"{a['name']}: {name}")
        for name in ("table.csv", "replicas.csv"):
            self.assertEqual((one / name).read_bytes(), (other / name).read_bytes())

    def assert_shared_as_whole(self, text, at_once, base=BASE, code=0):
        config = self.write_table(text, base=base)
        number = len(list(self.folder.iterdir()))
        whole = self.table(config, f"whole{number}", "--jobs", 2, code=code)
        shared = self.shared(config, f"shared{number}", at_once=at_once, code=code)
        self.assert_same_points(whole, shared)
        return whole


class Bytes(SharedLaunches):
    def test_of_rates_seeds_and_what_messages_hold(self):
        for text, points in ((RATES, 3), ('[sweep]\n"run.seed" = [3, 7, 12]\n', 3),
                             ('[sweep]\n"algorithm.keep" = [0.5, 0.1]\n"algorithm.averaging_rate" = [0.1, 0.05]\n', 4),
                             ('[sweep]\n"optimizer.momentum" = [0.9, 0.0]\n"optimizer.weight_decay" = [0.0, 0.01]\n', 4)):
            with self.subTest(text):
                self.assert_shared_as_whole(text, points)

    def test_of_schedules(self):
        text = ('[sweep]\n"optimizer.schedule" = ["steps", "cosine", "linear"]\n"optimizer.warmup_epochs" = [0, 1]\n'
                '"optimizer.milestones" = [[], [1]]\n')
        self.assert_shared_as_whole(text, 8)
        text = '[sweep]\n"algorithm.averaging_decay" = [[0.5, 0.2], [0.3, 0.3]]\n'
        self.assert_shared_as_whole(text, 2, base=BASE | {"optimizer": {"milestones": [0, 1]}})

    def test_of_data(self):
        text = ('[sweep]\n"data.seed" = ["auto", 5]\n'
                'point = [{ name = "skew", "data.skew" = 0.7 }, { name = "iid", "data.partition" = "iid" },\n'
                '  { name = "dirichlet", "data.partition" = "dirichlet", "data.alpha" = 0.3 },\n'
                '  { name = "shards", "data.partition" = "shards" }]\n')
        whole = self.assert_shared_as_whole(text, 8)
        tables = {(whole / point["folder"] / "partition.csv").read_bytes() for point in self.points(whole)}
        self.assertEqual(len(tables), 8)

    def test_of_every_method_and_of_topologies_by_seed(self):
        methods = ["none", "sgp", "sparse_push", "scsp", "choco", "deep_squeeze", "d_psgd", "all_reduce", "local_sgd", "fda",
                   "gradient_tracking", "push_gradient_tracking", "d2", "shared_block", "quantized_push_sum"]
        base = BASE | {"run": BASE["run"] | {"steps": 20, "replicas": 1}, "algorithm": {},
                       "topology": {"name": "complete"}, "evaluate": {"every_steps": 10}}
        points = ",\n".join(f'{{ "algorithm.name" = "{name}", name = "{name}"'
                            + (', "algorithm.final_rounds" = 3' if name == "scsp" else "")
                            + (', "algorithm.blocks" = 4' if name == "shared_block" else "") + " }" for name in methods)
        self.assert_shared_as_whole(f'[sweep]\n"run.seed" = [1, 2]\n"optimizer.lr" = [0.1, 0.05]\npoint = [{points}]\n', 4,
                                    base=base)
        base["topology"] = {"name": "random_out"}
        self.assert_shared_as_whole('[sweep]\n"run.seed" = [1, 2, 4]\n"topology.redraw" = [false, true]\n', 3, base=base)

    def test_of_running_statistics_and_images(self):
        base = {"run": {"nodes": 2, "steps": 4}, "data": {"name": "digits", "batch": 4},
                "model": {"name": "resnet20", "norm": "batch"}, "algorithm": {"name": "scsp", "final_rounds": 2},
                "evaluate": {"every_steps": 2, "samples": 20}}
        self.assert_shared_as_whole('[sweep]\n"run.seed" = [1, 2]\n', 2, base=base)

    def test_of_nodes_that_do_not_learn(self):
        base = BASE | {"run": BASE["run"] | {"nodes": 8}, "optimizer": {"weight_decay": 0.01},
                       "data": BASE["data"] | {"partition": "dirichlet", "samples": 120, "min_samples": 0}}
        config = self.write_table('[sweep]\n"data.alpha" = [0.05, 0.06, 0.07, 100.0]\n"data.seed" = [1, 2, 3]\n', base=base)
        whole = self.table(config, "whole", "--jobs", 2)
        self.assert_same_points(whole, self.shared(config))
        launches = {point["launch"] for point in self.points(whole)}  # as many as there are numbers of steps an epoch
        self.assertTrue(1 < len(launches) < 12, launches)

    def test_of_a_start_and_tensorboard(self):
        start = self.run_ok(self.write_config(BASE, "start.toml"), "start")
        base = BASE | {"run": BASE["run"] | {"start": str(start / "checkpoint.safetensors"), "tensorboard": True}}
        config = self.write_table(RATES, base=base)
        whole, shared = self.table(config, "whole", "--jobs", 2), self.shared(config, at_once=3)
        for a, b in zip(self.points(whole), self.points(shared)):
            mine, yours = contents(whole / a["folder"]), contents(shared / b["folder"])
            events = [name for name in mine if name.startswith("tensorboard")]  # they have times
            self.assertEqual(len(events), 2)
            for name in events:
                self.assertEqual(len(mine.pop(name)), len(yours.pop(name)))
            self.assertEqual(mine, yours)


class Launches(SharedLaunches):
    def test_are_of_points_that_differ_in_nothing_else(self):
        config = self.write_table('[sweep]\n"run.nodes" = [4, 6]\n"run.steps" = [40, 60]\n"optimizer.lr" = [0.1, 0.2]\n')
        out = self.shared(config, at_once=2)
        self.assertEqual([point["launch"] for point in self.points(out)], ["1", "1", "2", "2", "3", "3", "4", "4"])
        planned = self.command("plan", config).stdout.splitlines()
        self.assertEqual([line.split()[0] for line in planned[1:9]], ["1", "1", "2", "2", "3", "3", "4", "4"])
        self.assertTrue(planned[9].startswith("in all 8 points in 8 rows: "), planned[9])
        self.assertTrue(planned[10].startswith("4 launches: "), planned[10])
        self.assertEqual([line.split(" points")[0].split()[::7] for line in planned[11:]],
                         [["launch", "2"]] * 4)

    def test_are_not_of_several_shards(self):
        base = BASE | {"run": BASE["run"] | {"shards": 2}}
        out = self.shared(self.write_table(RATES, base=base), at_once=1)
        self.assertEqual([point["launch"] for point in self.points(out)], ["1", "2", "3"])

    def test_have_seconds_that_add_up(self):
        out = self.shared(self.write_table(RATES), at_once=3)
        seconds = [float(point["seconds"]) for point in self.points(out)]
        summaries = [json.loads((out / point["folder"] / "summary.json").read_text()) for point in self.points(out)]
        self.assertLess(max(seconds), 2 * min(seconds) + 0.05)
        self.assertLess(max(summary["seconds"] for summary in summaries), 2 * min(seconds) + 0.05)

    def test_that_memory_does_not_hold_are_divided(self):
        base = {"run": {"nodes": 64, "steps": 3}, "data": {"name": "digits"}, "model": {"hidden": [2000]},
                "evaluate": {"nodes": 1, "samples": 10}}
        config = self.write_table('[sweep]\n"optimizer.lr" = [0.1, 0.05, 0.2, 0.3]\n', base=base)
        planned = self.command("plan", config).stdout.splitlines()[1].split()
        self.assertEqual(planned[4], "MB", planned)
        little = 300_000_000
        refused = self.command("table", config, "--out", "little", preexec_fn=address_space(little)).stderr
        needs, available = re.search(r"needs ([\d.]+) MB of memory, ([\d.]+) MB are available", refused).groups()
        # There is room for one and what the program takes, and for two thirds of what three more take.
        room = little + int(1e6 * (float(needs) - float(available) + 2 * float(planned[3])))
        out = self.table(config, "out", "--jobs", 1, preexec_fn=address_space(room))
        self.assertIn("4 at once", self.said)
        self.assert_same_points(self.table(config, "whole", "--jobs", 2), out)
        folders = [out / point["folder"] for point in self.points(out)]
        begun = [(folder / "partition.csv").stat().st_mtime_ns for folder in folders]
        ended = [(folder / "summary.json").stat().st_mtime_ns for folder in folders]
        self.assertLess(begun[1], ended[0])
        self.assertLess(ended[1], begun[2])
        self.assertLess(begun[3], ended[2])


class Divergence(SharedLaunches):
    def test_is_of_one_point_alone(self):
        whole = self.assert_shared_as_whole(DIVERGES, 4, base=SPREADING, code=1)
        points = self.points(whole)
        self.assertEqual([point["status"] for point in points], ["finished", "diverged", "finished", "diverged"])
        for point in points:
            summary = json.loads((whole / point["folder"] / "summary.json").read_text())
            self.assertEqual("diverged at step" in summary.get("reason", ""), point["status"] == "diverged")

    def test_of_all_points_ends_a_launch(self):
        whole = self.assert_shared_as_whole('[sweep]\n"optimizer.lr" = [1e5, 1e6]\n', 2, base=SPREADING, code=1)
        self.assertEqual([point["status"] for point in self.points(whole)], ["diverged"] * 2)

    def test_is_no_end_for_others_that_go_on_later(self):
        config = self.write_table(DIVERGES, base=SPREADING)
        expected = self.table(config, "whole", "--jobs", 2, code=1)
        out = self.shared(config, "out", "--retry", at_once=4, code=1)
        self.shared(config, "out", "--retry", at_once=2, code=1)  # those that have diverged, once more
        self.assert_same_points(expected, out)


class GoingOn(SharedLaunches):
    LONGER = BASE | {"run": BASE["run"] | {"steps": 1500, "checkpoint_steps": 100}}

    def test_after_kill_9(self):
        config = self.write_table('[sweep]\n"algorithm.keep" = [0.5, 0.1]\n"optimizer.lr" = [0.1, 0.05]\n', base=self.LONGER)
        begin = time.monotonic()
        expected = self.table(config, "expected", "--jobs", 2)
        duration = time.monotonic() - begin
        dice = random.Random(1)
        for attempt in range(6):
            command = [self.program, "table", config, "--out", "killed", "--quiet", "--jobs", "1"]
            process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(duration * dice.uniform(0.1, 0.6))
            process.kill()
            process.wait()
        self.assert_same_points(expected, self.shared(config, "killed"))

    def test_after_ctrl_c_during_tests(self):
        base = {"run": {"nodes": 12, "steps": 25}, "data": {"name": "digits"}, "model": {"hidden": [150]},
                "evaluate": {"every_steps": 1}}  # nearly all of the time
        config = self.write_table(RATES, base=base)
        begin = time.monotonic()
        expected = self.table(config, "expected", "--jobs", 2)
        duration = time.monotonic() - begin
        dice = random.Random(2)
        for attempt in range(5):
            command = [self.program, "table", config, "--out", "stopped", "--quiet", "--jobs", "1"]
            process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.1 + duration * dice.uniform(0.1, 0.3))
            process.send_signal(signal.SIGINT)
            self.assertIn(process.wait(timeout=60), (0, 1, -signal.SIGINT))
        self.assert_same_points(expected, self.shared(config, "stopped"))

    def test_from_several_places(self):
        """Points of a launch that stopped at different steps share it with those at the same one."""
        config = self.write_table('[sweep]\n"optimizer.lr" = [0.1, 0.05, 0.2, 0.3, 0.4, 0.5]\n', base=self.LONGER)
        expected = self.table(config, "expected", "--jobs", 2)
        shorter = self.write_table('[sweep]\n"optimizer.lr" = [0.05, 0.3]\n', base=self.LONGER, name="shorter.toml")
        out = self.folder / "out"
        self.stop_in_the_middle(shorter, out, 2)
        stopped = {point["optimizer.lr"]: int(point["steps_done"]) for point in self.points(out)}
        self.assertEqual(len(set(stopped.values())), 1)
        self.assertTrue(all(0 < steps < 1500 for steps in stopped.values()), stopped)
        done = self.shared(config, "out")
        self.assertIn("4 at once", self.said)  # and two that go on
        self.assert_same_points(expected, done)

    def stop_in_the_middle(self, config, out, points):
        process = subprocess.Popen([self.program, "table", config, "--out", out, "--jobs", "1"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while sum("\n0,20," in path.read_text() for path in out.glob("points/*/metrics.csv")) < points:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, said)
        self.assertEqual([point["status"] for point in self.points(out)], ["interrupted"] * points)

    def test_where_one_is_damaged(self):
        config = self.write_table('[sweep]\n"optimizer.lr" = [0.1, 0.05, 0.2]\n', base=self.LONGER)
        out = self.folder / "out"
        expected = self.table(config, "expected", "--jobs", 2)
        self.stop_in_the_middle(config, out, 3)
        damaged = out / self.points(out)[1]["folder"] / "checkpoint.safetensors"
        data = bytearray(damaged.read_bytes())
        where = data.index(b"config_hash") + 16
        data[where : where + 4] = b"0000"
        damaged.write_bytes(data)
        self.shared(config, "out", code=1)
        self.assertEqual([point["status"] for point in self.points(out)], ["finished", "failed", "finished"])
        self.assertIn("belongs to another configuration", self.said)
        for index in (0, 2):
            point = self.points(out)[index]
            self.assertEqual(contents(out / point["folder"]), contents(expected / point["folder"]))

    def test_where_one_folder_takes_no_file(self):
        config = self.write_table(RATES, base=self.LONGER)
        expected = self.table(config, "expected", "--jobs", 2)
        for name in ("checkpoint.safetensors.tmp", "summary.json.tmp"):
            with self.subTest(name):
                out = self.folder / name
                self.stop_in_the_middle(config, out, 3)
                hindrance = out / self.points(out)[1]["folder"] / name
                hindrance.mkdir()
                self.shared(config, out, code=1)
                self.assertEqual([point["status"] for point in self.points(out)], ["finished", "failed", "finished"])
                hindrance.rmdir()
                self.shared(config, out)
                self.assertEqual((out / "replicas.csv").read_bytes(), (expected / "replicas.csv").read_bytes())
                for one, other in zip(self.points(expected), self.points(out)):
                    mine, yours = contents(expected / one["folder"]), contents(out / other["folder"])
                    self.assertEqual(mine.pop("summary.json")["status"], yours.pop("summary.json")["status"])
                    self.assertEqual(mine, yours)

    def test_on_either_way(self):
        config = self.write_table(RATES, base=self.LONGER)
        out = self.folder / "out"
        expected = self.table(config, "expected", "--jobs", 2)
        self.stop_in_the_middle(config, out, 3)
        self.table(config, "out", "--jobs", 3)
        self.assert_same_points(expected, out)

    def test_after_a_full_disk(self):
        config = self.write_table(RATES)

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # no checkpoint has room

        done = self.command("table", config, "--out", "out", "--jobs", 1, preexec_fn=limit)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual({point["status"] for point in self.points(self.folder / "out")}, {"failed"})
        self.assertIn("File too large", done.stderr)
        self.assert_same_points(self.table(config, "straight", "--jobs", 2), self.shared(config, "out"))


if __name__ == "__main__":
    main()
