"""A run in several processes of a launcher has the bytes of the run in one process."""

from launched import LaunchedTest
from program import main, quadratic, read_metrics, read_safetensors

NODES = 7  # shards are uneven
QUADRATIC = {
    "run": {"nodes": NODES, "steps": 20, "replicas": 2},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 3},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 8},
}
DIGITS = {
    "run": {"nodes": NODES, "steps": 12},
    "data": {"name": "digits", "partition": "skew", "skew": 0.5, "batch": 4},
    "model": {"name": "mlp", "hidden": [9]},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 5},
    "evaluate": {"every_steps": 5},
}
RESNET = {
    "run": {"nodes": 3, "steps": 2},
    "data": {"name": "digits", "batch": 4, "augment": True},
    "model": {"name": "resnet20", "norm": "batch"},
    "topology": {"name": "random_out", "degree": 1, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 2},
    "evaluate": {"every_steps": 2, "nodes": 2, "samples": 40},
}
REDRAWN = {"name": "random_out", "degree": 3, "redraw": True}
ONE_PEER = {"name": "one_peer_exponential"}  # has another edge in every round
RING = {"name": "ring", "weights": "metropolis"}
METHODS = {  # a topology, and keys of [algorithm]
    "none": (REDRAWN, {}),
    "sgp": (REDRAWN, {"averaging_rate": 0.6}),
    "sparse_push": (REDRAWN, {"keep": 0.05}),
    "scsp": (REDRAWN, {"keep": 0.05, "final_rounds": 6}),
    "deep_squeeze": (ONE_PEER, {"keep": 0.1}),
    "d_psgd": (ONE_PEER, {}),
    "choco": (QUADRATIC["topology"], {"keep": 0.1}),
    "quantized_push_sum": (QUADRATIC["topology"], {"levels": 30}),
    "all_reduce": (REDRAWN, {}),
    "local_sgd": (REDRAWN, {"local_steps": 3}),
    "fda": (REDRAWN, {"threshold": 20.0}),
    "gradient_tracking": (RING, {}),
    "push_gradient_tracking": (REDRAWN, {}),
    "d2": (RING, {}),
    "shared_block": (REDRAWN, {"blocks": 4}),
}
COMPRESSORS = {
    "identity": {"averaging_rate": 0.6},
    "random_k": {"keep": 0.1},
    "qsgd": {"levels": 30, "averaging_rate": 0.02},
    "sign": {"averaging_rate": 0.02},
    "low_rank": {"rank": 1, "averaging_rate": 0.05},
    "top_k": {"keep": 0.1, "scope": "global"},
}


class RanksTest(LaunchedTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(NODES, (1, 30, 66, 5)))

    def assert_independent_of_ranks(self, experiment, counts, name="out"):
        config = self.write_config(experiment, f"{name}.toml")
        expected = self.run_ok(config, f"{name}_alone", "--set", "run.shards=1")
        for ranks in counts:
            with self.subTest(name, ranks=ranks):
                self.assert_same_files(expected, self.launch_ok(ranks, config, f"{name}_{ranks}"))
        return expected


class Bits(RanksTest):
    def test_of_every_method(self):
        listed = self.command("methods").stdout.split("\n\n")[0].splitlines()[2:]
        self.assertEqual([line.split()[0] for line in listed if line[0] != " "], list(METHODS))
        for i, (name, (topology, keys)) in enumerate(METHODS.items()):
            experiment = QUADRATIC | {"topology": topology, "algorithm": {"name": name} | keys}
            out = self.assert_independent_of_ranks(experiment, [(2, 3), (3, 4), (4, 2)][i % 3], name)
            if name == "fda":  # a round was due in some steps, in others not
                self.assertTrue(0 < int(read_metrics(out)[-1]["syncs"]) < QUADRATIC["run"]["steps"])

    def test_of_every_compressor(self):
        for i, (name, keys) in enumerate(COMPRESSORS.items()):
            base = DIGITS if name == "low_rank" else QUADRATIC  # which has no matrices
            experiment = base | {"algorithm": {"name": "sparse_push", "compressor": name} | keys}
            self.assert_independent_of_ranks(experiment, [2 + i % 3], f"compressor_{name}")

    def test_of_every_kind_of_topology(self):
        self.write("edges.csv", "round,source,target\n" + "".join(f"{i % 2},{i},{(i + 4) % 7}\n" for i in range(7)))
        for topology, ranks in (({"name": "star"}, 3), ({"name": "complete"}, 2), ({"name": "directed_ring"}, 4),
                                ({"name": "erdos_renyi", "probability": 0.1, "redraw": True}, 3),
                                ({"name": "file", "file": "edges.csv"}, 4), (ONE_PEER, 3)):
            experiment = QUADRATIC | {"topology": topology, "algorithm": {"name": "sgp"}}
            self.assert_independent_of_ranks(experiment, [ranks], topology["name"])

    def test_of_one_rank_and_of_one_node_a_rank(self):
        self.assert_independent_of_ranks(QUADRATIC | {"topology": REDRAWN}, (1, NODES))

    def test_of_an_optimizer_with_more_state(self):
        experiment = QUADRATIC | {"optimizer": {"kind": "adam", "lr": 0.01}, "topology": REDRAWN}
        self.assert_independent_of_ranks(experiment, [3])

    def test_of_perceptrons(self):
        self.assert_independent_of_ranks(DIGITS, (3, 4))
        exact = DIGITS | {"algorithm": {"name": "scsp", "keep": 0.05, "final": "all_reduce"}}
        self.assert_independent_of_ranks(exact, [2], "exact")

    def test_of_rounds_that_nodes_decide_on(self):
        experiment = DIGITS | {"algorithm": {"name": "fda", "threshold": 0.05},
                               "run": {"nodes": 5, "steps": 12, "replicas": 2}}
        out = self.assert_independent_of_ranks(experiment, [3])
        self.assertTrue(0 < int(read_metrics(out)[-1]["syncs"]) < 12)

    def test_of_convolutions_with_running_statistics(self):
        for final in ("average", "local"):
            experiment = RESNET | {"algorithm": RESNET["algorithm"] | {"final_statistics": final}}
            self.assert_independent_of_ranks(experiment, [2], final)


class Files(RanksTest):
    def test_are_those_of_one_process(self):
        experiment = DIGITS | {"run": {"nodes": NODES, "steps": 6, "tensorboard": True, "checkpoint_steps": 2}}
        config = self.write_config(experiment)
        alone, out = self.run_ok(config, "alone"), self.launch_ok(3, config, "out")
        names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "events" not in path.name)
                 for folder in (alone, out)]
        self.assertEqual(*names)
        self.assertEqual(*(len(list(folder.rglob("*events*"))) for folder in (alone, out)))
        self.assertIn("checkpoint.safetensors", names[0])

    def test_are_announced_once(self):
        done = self.launch(3, "run", self.write_config(QUADRATIC), "--out", "out")
        self.assertEqual(done.code, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        for words in ("backend: cpu", "replica 0 step 8 ", "replica 1 step 20 ", "step 20 of 20"):
            self.assertEqual(done.stderr.count(words), 1, done.stderr)
        log = (self.folder / "out" / "log.txt").read_text()
        self.assertEqual([log.count(words) for words in ("started on cpu", "finished")], [1, 1], log)

    def test_stand_where_a_launcher_was_told_to_work(self):
        config = self.write_config(QUADRATIC)
        done = self.launch(2, "run", config, "--quiet")
        self.assertEqual(done.code, 0, done.stderr)
        self.assert_same_files(self.run_ok(config, "alone"), self.folder / "runs" / "experiment")


class GoingOn(RanksTest):
    def run_in(self, processes, *arguments):
        """Does a command in one process, or in several that are launched."""
        if processes > 1:
            done = self.launch(processes, *arguments, "--quiet")
            self.assertEqual(done.code, 0, done.stderr)
        else:
            done = self.command(*arguments, "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_with_another_number_of_processes(self):
        config = self.write_config(QUADRATIC | {"topology": REDRAWN})
        straight = self.run_ok(config, "straight")
        for first, then in ((3, 1), (1, 2), (2, 4)):
            with self.subTest(first=first, then=then):
                out = f"out_{first}_{then}"
                self.run_in(first, "run", config, "--out", out, "--set", "run.steps=8")
                self.assertEqual(read_safetensors(self.folder / out / "checkpoint.safetensors")[0]["step"][0], 8)
                self.run_in(then, "run", config, "--out", out, "--resume", "--set", "run.steps=16")
                self.run_in(first, "resume", out, "--set", "run.steps=20")
                self.assert_same_files(straight, self.folder / out)

    def test_from_the_folder_alone_with_another_number_of_processes(self):
        config = self.write_config(QUADRATIC | {"topology": REDRAWN})
        straight = self.run_ok(config, "straight")
        for first, then in ((3, 1), (1, 2), (2, 4), (4, 3)):
            with self.subTest(first=first, then=then):
                out = f"out_{first}_{then}"
                self.run_in(first, "run", config, "--out", out, "--set", "run.steps=8")
                self.run_in(then, "resume", out, "--set", "run.steps=20")
                self.assert_same_files(straight, self.folder / out)

    def test_from_the_parameters_of_another_run(self):
        config = self.write_config(QUADRATIC)
        self.run_ok(config, "first")
        start = QUADRATIC | {"run": QUADRATIC["run"] | {"start": "first/checkpoint.safetensors"}, "topology": REDRAWN}
        self.assert_independent_of_ranks(start, (2, 3), "then")

    def test_a_finished_run_is_left_as_it_is(self):
        config = self.write_config(QUADRATIC)
        out = self.launch_ok(3, config, "out")
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        done = self.launch(2, "run", config, "--out", "out", "--resume")
        self.assertEqual((done.code, done.stdout), (0, "out: already finished\n"), done.stderr)
        self.assertEqual(before, {path.name: path.read_bytes() for path in out.iterdir()})


if __name__ == "__main__":
    main()
