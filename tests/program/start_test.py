"""Runs that start from the parameters of another one, and what is written about every node."""

import csv

import numpy as np

from program import ProgramTest, main, quadratic, read_metrics, read_safetensors, safetensors_bytes

DIGRAPH = {
    "run": {"nodes": 5, "steps": 40},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2},
    "algorithm": {"name": "sgp"},
}


class Start(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (70, 9)))

    def state(self, out):
        return read_safetensors(out / "checkpoint.safetensors")[0]

    def test_nodes_start_at_x_over_u_and_all_else_is_new(self):
        first = self.run_ok(self.write_config(DIGRAPH), "first")
        before = self.state(first)
        self.assertGreater(np.ptp(before["u"]), 0.01)
        sections = DIGRAPH | {"run": {"nodes": 5, "steps": 1, "start": "first/checkpoint.safetensors"},
                              "algorithm": {"name": "none"}, "optimizer": {"lr": 0.0}}
        for shards in (1, 3):
            out = self.run_ok(self.write_config(sections), f"then{shards}", "--set", f"run.shards={shards}")
            after = self.state(out)
            z = before["x"] * (1 / before["u"]).astype("<f4")[:, None]
            np.testing.assert_array_equal(after["x"], z)
            self.assertTrue((after["u"] == 1).all())
            self.assertEqual(after["step"][0], 1)

    def test_it_can_be_resumed_from_the_folder_alone(self):
        self.run_ok(self.write_config(DIGRAPH), "first")
        config = self.write_config(DIGRAPH | {"run": {"nodes": 5, "steps": 30, "start": "first/checkpoint.safetensors"}})
        out = self.run_ok(config, "then", "--set", "run.steps=10")
        straight = self.run_ok(config, "straight")
        self.command("run", "nothing")
        (self.folder / "first" / "checkpoint.safetensors").unlink()
        done = self.command("resume", out, "--set", "run.steps=30", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.state(out)["x"].tobytes(), self.state(straight)["x"].tobytes())

    def test_running_statistics_come_with_the_parameters(self):
        sections = {"run": {"nodes": 2, "steps": 3}, "data": {"name": "digits", "batch": 8},
                    "model": {"name": "resnet20", "norm": "batch"}, "algorithm": {"name": "none"},
                    "evaluate": {"every_steps": 3, "samples": 20}}
        first = self.run_ok(self.write_config(sections), "first")
        then = self.run_ok(self.write_config(sections | {
            "run": {"nodes": 2, "steps": 1, "start": "first/checkpoint.safetensors"}}), "then")
        columns = ("test_loss", "accuracy_mean", "loss_mean_model", "accuracy_mean_model")
        last, start = read_metrics(first)[-1], read_metrics(then)[0]
        self.assertEqual([last[name] for name in columns], [start[name] for name in columns])

    def test_parameters_that_are_not_finite_are_refused(self):
        first = self.run_ok(self.write_config(DIGRAPH), "first")
        tensors, metadata = read_safetensors(first / "checkpoint.safetensors")
        tensors = {name: array.copy() for name, array in tensors.items()}
        tensors["x"][3, 5] = np.nan
        self.write("broken.safetensors", safetensors_bytes(tensors, metadata))
        config = self.write_config(DIGRAPH | {"run": {"nodes": 5, "steps": 1, "start": "broken.safetensors"}})
        done = self.command("run", config, "--out", "then")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, "run.start: .*broken.safetensors: the parameters of node 3 are not finite")

    def test_a_loss_that_jumps_on_other_data_and_falls_is_no_divergence(self):
        sections = {"run": {"nodes": 2, "steps": 60}, "data": {"name": "digits", "batch": 16},
                    "model": {"name": "mlp", "hidden": [16]}, "algorithm": {"name": "none"},
                    "optimizer": {"lr": 0.1}, "evaluate": {"every_steps": 20}}
        self.run_ok(self.write_config(sections | {"run": {"nodes": 2, "steps": 400}}), "first")
        other = sections | {"run": {"nodes": 2, "steps": 60, "start": "first/checkpoint.safetensors"}}
        other["data"] = other["data"] | {"augment": True}
        out = self.run_ok(self.write_config(other), "then")
        rows = read_metrics(out)
        self.assertGreater(float(rows[1]["train_loss"]), 10 * float(rows[0]["test_loss"]))
        self.assertNotIn("diverge", (out / "log.txt").read_text())

    def test_its_content_counts_for_the_hash(self):
        hashes = set()
        for steps in (10, 20):
            self.run_ok(self.write_config(DIGRAPH), f"first{steps}", "--set", f"run.steps={steps}")
            sections = DIGRAPH | {"run": {"nodes": 5, "steps": 1, "start": f"first{steps}/checkpoint.safetensors"}}
            out = self.run_ok(self.write_config(sections), f"then{steps}")
            hashes.add(read_safetensors(out / "checkpoint.safetensors")[1]["config_hash"])
        self.assertEqual(len(hashes), 2)

    def test_what_does_not_fit_is_refused_at_once(self):
        self.run_ok(self.write_config(DIGRAPH), "first")
        other = quadratic(6, (70, 9))
        self.write("six.safetensors", other)
        self.write("tensors.safetensors", quadratic(5, (9, 70)))
        start = {"start": "first/checkpoint.safetensors", "steps": 5}
        for run, data, words in (
            ({"nodes": 6}, "six.safetensors", 'tensor "x": expected F32 [6, 79], got F32 [5, 79]'),
            ({"nodes": 5}, "tensors.safetensors", "is of a model with other tensors"),
            ({"nodes": 5, "start": "problem.safetensors"}, "problem.safetensors", "not a checkpoint"),
            ({"nodes": 5, "start": "nowhere"}, "problem.safetensors", "run.start: no such file"),
        ):
            config = self.write_config(DIGRAPH | {"run": start | run, "data": {"name": "quadratic", "file": data}})
            for command in (["run", config, "--out", "refused"], ["plan", config], ["topology", config]):
                done = self.command(*command)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)


class TestedNodes(ProgramTest):
    def nodes_csv(self, out):
        with open(out / "nodes.csv", newline="") as file:
            return list(csv.DictReader(file))

    def test_every_tested_node_has_a_line_at_every_evaluation(self):
        config = self.write_config({"run": {"nodes": 7, "steps": 4, "replicas": 2}, "model": {"name": "softmax"},
                                    "evaluate": {"every_steps": 2}})
        for tested, nodes in ((0, range(7)), (3, (1, 3, 5)), (2, (1, 5)), (1, (3,))):
            out = self.run_ok(config, f"out{tested}", "--set", f"evaluate.nodes={tested}", "--set", "run.shards=3")
            lines = self.nodes_csv(out)
            self.assertEqual(list(lines[0]), ["replica", "step", "node", "loss", "accuracy"])
            self.assertEqual([(int(line["step"]), int(line["replica"]), int(line["node"])) for line in lines],
                             [(step, r, node) for step in (0, 2, 4) for r in range(2) for node in nodes])
            for row in read_metrics(out):
                own = [line for line in lines if (line["replica"], line["step"]) == (row["replica"], row["step"])]
                accuracies = [float(line["accuracy"]) for line in own]
                self.assertAlmostEqual(np.mean(accuracies), float(row["accuracy_mean"]), 7)
                self.assertAlmostEqual(np.mean([float(line["loss"]) for line in own]), float(row["test_loss"]), 6)
                self.assertEqual((min(accuracies), max(accuracies)),
                                 (float(row["accuracy_min"]), float(row["accuracy_max"])))

    def test_lines_are_cut_and_go_on_when_a_run_is_resumed(self):
        config = self.write_config({"run": {"nodes": 3, "steps": 6}, "model": {"name": "softmax"},
                                    "evaluate": {"every_steps": 2}})
        straight = self.run_ok(config, "straight")
        out = self.run_ok(config, "out", "--set", "run.steps=4")
        with open(out / "nodes.csv", "a") as file:
            file.write("0,5,0,1.0,0.5\n0,5,1,1.")
        self.run_ok(config, "out", "--resume")
        self.assertEqual((out / "nodes.csv").read_text(), (straight / "nodes.csv").read_text())

    def test_a_part_of_the_test_set_is_spread_over_it(self):
        sections = {"run": {"nodes": 2, "steps": 1}, "data": {"name": "digits", "batch": 4},
                    "algorithm": {"name": "none"}}
        accuracies = {}
        for samples in (0, 299, 150, 7):  # digits has 299 test samples; 0: all
            out = self.run_ok(self.write_config(sections | {"evaluate": {"samples": samples}}), f"out{samples}")
            accuracies[samples] = [float(row["accuracy"]) for row in self.nodes_csv(out)]
        self.assertEqual(accuracies[0], accuracies[299])
        for samples in (150, 7):
            for right in (accuracy * samples for accuracy in accuracies[samples]):
                self.assertAlmostEqual(right, round(right), delta=1e-5)
        done = self.command("run", self.write_config(sections | {"evaluate": {"samples": 300}}), "--out", "more")
        self.assertEqual(done.returncode, 2)
        self.assertIn("evaluate.samples: expected at most the 299 test samples of digits, got 300", done.stderr)
        done = self.command("run", self.write_config(DIGRAPH), "--out", "more", "--set", "evaluate.samples=3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("evaluate.samples", done.stderr)

    def test_few_nodes_stand_for_all_where_neighbours_have_the_same_class(self):
        config = self.write_config({"run": {"nodes": 50, "steps": 60}, "data": {"partition": "skew", "skew": 1.0},
                                    "model": {"name": "softmax"}, "algorithm": {"name": "none"},
                                    "evaluate": {"every_steps": 60}})
        means = [float(read_metrics(self.run_ok(config, f"out{n}", "--set", f"evaluate.nodes={n}"))[-1]["accuracy_mean"])
                 for n in (0, 10)]
        self.assertAlmostEqual(means[0], means[1], delta=0.15 * means[0])


if __name__ == "__main__":
    main()
