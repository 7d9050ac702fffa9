"""Arrays of run folders, and folders that are unfinished, damaged or none."""

import csv
import fcntl
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np

from reading import ReaderTest, main, needs

import sparsepush

SECTIONS = {
    "run": {"nodes": 4, "replicas": 2, "steps": 20, "seed": 3},
    "model": {"hidden": [6, 5]},
    "topology": {"name": "random_out", "degree": 2},
    "optimizer": {"milestones": [5, 10]},
    "evaluate": {"every_steps": 10, "nodes": 2},
}


class Runs(ReaderTest):
    def setUp(self):
        super().setUp()
        self.run_ = self.train("a", SECTIONS)

    def lines(self, name):
        with open(self.run_.path / name, newline="") as file:
            return list(csv.DictReader(file))

    def test_metrics_are_those_of_the_file(self):
        lines = self.lines("metrics.csv")
        self.assertEqual(list(self.run_.metrics), list(lines[0]))
        for name, column in self.run_.metrics.items():
            is_count = name in ("replica", "step", "messages") or name.startswith("bytes_")
            self.assertEqual(column.dtype, np.int64 if is_count else np.float64, name)
            expected = [float(line[name]) if line[name] else np.nan for line in lines]
            np.testing.assert_array_equal(column, expected, name)
        self.assertTrue(np.isnan(self.run_.metrics["train_loss"][0]))  # empty at step 0

    def test_nodes_and_partition_are_those_of_the_files(self):
        lines = self.lines("nodes.csv")
        self.assertEqual(self.run_.nodes["accuracy"].tolist(), [float(line["accuracy"]) for line in lines])
        self.assertEqual(self.run_.partition.shape, (2, 4, 10))
        self.assertEqual(self.run_.partition.dtype, np.int64)
        for line in self.lines("partition.csv"):
            of_node = self.run_.partition[int(line["replica"]), int(line["node"])]
            self.assertEqual(of_node.tolist(), [int(line[f"class_{c}"]) for c in range(10)])

    def test_configuration_is_nested_and_resolved(self):
        text = (self.run_.path / "config.toml").read_text()
        self.assertEqual(self.run_.config, tomllib.loads(text))
        self.assertEqual(self.run_.config["optimizer"]["milestones"], [5, 10])
        self.assertEqual(self.run_.config["data"]["name"], "digits")  # a default
        self.assertEqual(self.run_.summary, json.loads((self.run_.path / "summary.json").read_text()))

    def test_texts_of_a_configuration_are_read_as_they_were_written(self):
        name = 'ring "ä" \\ \t#=[x] .csv'
        self.write(name, "source,target\n0,1\n1,2\n2,3\n3,0\n")
        config = SECTIONS | {"topology": {"name": "file", "file": name}, "data": {"name": "digits", "partition": "file",
                             "partition_file": "who's [a] \"ä\".csv"}}
        self.write("who's [a] \"ä\".csv", "sample,node\n" + "".join(f"{i},{i % 4}\n" for i in range(40)))
        run = self.train("words", config)
        self.assertEqual(run.config, tomllib.loads((run.path / "config.toml").read_text()))

    @needs("pandas")
    def test_frame_has_metrics_and_seconds_by_replica_and_step(self):
        frame = self.run_.frame()
        self.assertEqual(frame.index.names, ["replica", "step"])
        self.assertEqual(list(frame.columns), [*list(self.run_.metrics)[2:], "seconds"])
        np.testing.assert_array_equal(frame["bytes_wire"], self.run_.metrics["bytes_wire"])
        seconds = {int(line["step"]): float(line["seconds"]) for line in self.lines("timing.csv")}
        self.assertEqual(frame.loc[(1, 20), "seconds"], seconds[20])

    def test_seconds_go_on_where_a_run_is_resumed(self):
        (self.run_.path / "timing.csv").write_text("step,seconds\n0,1.5\n10,2.5\n20,0.25\n")
        self.assertEqual(self.run_.seconds.tolist(), [1.5, 1.5, 2.5, 2.5, 2.75, 2.75])

    def test_a_problem_without_classes_has_no_partition(self):
        from program import quadratic

        self.write("problem.safetensors", quadratic(4, (5, 3)))
        problem = {"data": {"name": "quadratic", "file": "problem.safetensors"}, "optimizer": {}}
        run = self.train("q", SECTIONS | problem)
        self.assertIsNone(run.partition)
        self.assertTrue(np.isnan(run.metrics["accuracy_mean"]).all())
        self.assertEqual(sum(array.size for array in run.node_state_dict(1).values()), 8)

    def test_runs_finds_every_run_below_a_folder_by_path(self):
        shutil.copytree(self.run_.path, self.folder / "b" / "inner" / "x")
        shutil.copytree(self.run_.path, self.folder / "b" / "inner" / "x" / "tensorboard")
        (self.folder / "b" / "other").mkdir()
        found = sparsepush.runs(self.folder)
        self.assertEqual([run.path for run in found], [self.folder / "a", self.folder / "b" / "inner" / "x"])
        self.assertEqual([run.path for run in sparsepush.runs(self.folder / "a")], [self.folder / "a"])

    def refuse(self, path, read):
        """read() raises a RunError that begins with the path of the file."""
        with self.assertRaises(sparsepush.RunError) as caught:
            read()
        self.assertIsInstance(caught.exception, ValueError)
        self.assertTrue(str(caught.exception).startswith(f"{path}: "), caught.exception)

    def test_folders_that_are_no_runs_are_refused(self):
        (self.folder / "empty").mkdir()
        for name in ("nowhere", "empty", "experiment.toml"):
            folder = self.folder / name
            self.refuse(folder / "config.toml", lambda: sparsepush.load(folder))
        self.refuse(self.folder / "nowhere", lambda: sparsepush.runs(self.folder / "nowhere"))

    def test_status_says_how_a_run_ended(self):
        self.assertEqual(self.run_.status, "finished")
        diverging = SECTIONS | {"optimizer": {"lr": 1e6, "weight_decay": 1e3}, "run": {"steps": 60}}
        self.assertEqual(self.command("run", self.write_config(diverging), "--out", "d").returncode, 1)
        self.assertEqual(sparsepush.load(self.folder / "d").status, "diverged")
        (self.run_.path / "summary.json").unlink()
        killed = sparsepush.load(self.run_.path)
        self.assertEqual((killed.status, killed.summary), ("failed", {}))

    def test_status_is_running_while_a_process_has_the_folder(self):
        with open(self.run_.path / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertEqual(self.run_.status, "running")
        self.assertEqual(self.run_.status, "finished")

    def test_a_torn_last_line_does_not_count(self):
        whole = self.run_.metrics["step"].tolist()
        with open(self.run_.path / "metrics.csv", "a") as file:
            file.write("0,30,1.5,0.")
        self.assertEqual(sparsepush.load(self.run_.path).metrics["step"].tolist(), whole)

    def test_damaged_files_are_named(self):
        damages = {
            "config.toml": ("config", lambda text: text.replace("nodes = 4", "nodes = 4x", 1)),
            "metrics.csv": ("metrics", lambda text: text.replace("0,10,", "0,1x,", 1)),
            "nodes.csv": ("nodes", lambda text: text.replace("0,10,", "0,", 1)),
            "partition.csv": ("partition", lambda text: text.replace("1,2,", "1,3,", 1)),
            "summary.json": ("summary", lambda text: text[:40]),
            "timing.csv": ("seconds", lambda text: text.replace("step", "stop", 1)),
        }
        for name, (read, damage) in damages.items():
            for how in (damage, lambda text: "\ufffd\n" * 3, lambda text: ""):
                with self.subTest(name, how=how):
                    folder = self.folder / "damaged"
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.copytree(self.run_.path, folder)
                    text = how((folder / name).read_text())
                    (folder / name).write_text(text)
                    run = sparsepush.load(folder)
                    self.refuse(folder / name, lambda: getattr(run, read))
                    is_needed = name in ("config.toml", "metrics.csv", "summary.json")
                    self.assertEqual(run.status, "damaged" if is_needed else "finished")

    def test_lines_with_too_few_or_too_many_values_are_named(self):
        for torn in (lambda line: line[: line.rindex(",")], lambda line: line + ",1"):
            lines = (self.run_.path / "metrics.csv").read_text().splitlines()
            lines[2:4] = map(torn, reversed(lines[2:4]))
            folder = self.folder / f"torn{len(lines[2])}"
            shutil.copytree(self.run_.path, folder)
            (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
            with self.assertRaisesRegex(sparsepush.RunError, "metrics.csv: line 3: expected 21 values"):
                sparsepush.load(folder).metrics

    def test_files_in_another_encoding_are_named(self):
        Path(self.run_.path / "metrics.csv").write_bytes(b"replica,step\n0,\xff\n")
        self.refuse(self.run_.path / "metrics.csv", lambda: sparsepush.load(self.run_.path).metrics)


if __name__ == "__main__":
    main()
