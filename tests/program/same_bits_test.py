"""The same experiment gives the same bits, however it is run."""

import copy
import json

import numpy as np

from program import METRICS_HEADER, ProgramTest, main, quadratic, read_metrics, read_safetensors

STATES = ("x", "momentum", "error", "u", "statistics")
DIGITS = {
    "run": {"nodes": 6, "steps": 12},
    "data": {"name": "digits", "partition": "skew", "skew": 0.5, "batch": 4},
    "model": {"name": "mlp", "hidden": [9]},
    "topology": {"name": "random_out", "degree": 2},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "evaluate": {"every_steps": 5},
}
RESNET = {  # small enough for tests, with normalization by the batch
    "run": {"nodes": 5, "steps": 3},
    "data": {"name": "digits", "partition": "skew", "skew": 0.5, "batch": 4, "augment": True},
    "model": {"name": "resnet20", "norm": "batch"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 2},
    "evaluate": {"every_steps": 3, "nodes": 2, "samples": 40},
}
QUADRATIC = {
    "run": {"nodes": 7, "steps": 30},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 3},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 8},
}


def changed(experiment, **sections):
    """A copy of `experiment` with the keys of `sections` set; a section given as None is removed."""
    result = copy.deepcopy(experiment)
    for section, keys in sections.items():
        result[section] = None if keys is None else result.get(section, {}) | keys
    return {section: keys for section, keys in result.items() if keys is not None}


def with_algorithm(experiment, **keys):
    return changed(experiment, algorithm=None) | {"algorithm": keys}


class SameBitsTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(7, (1, 30, 66, 5)))

    def assert_independent_of_threads_and_shards(self, experiment):
        config = self.write_config(experiment)
        expected = self.run_ok(config, "expected", "--set", "run.threads=1")
        for threads, shards in ((2, 1), (4, 1), (1, 2), (2, 3)):
            with self.subTest(threads=threads, shards=shards):
                settings = ["--set", f"run.threads={threads}", "--set", f"run.shards={shards}"]
                self.assert_same_results(expected, self.run_ok(config, f"{threads}_{shards}", *settings))


class ThreadsAndShards(SameBitsTest):
    def test_layers_on_digits(self):
        self.assert_independent_of_threads_and_shards(DIGITS)

    def test_layers_on_a_redrawn_topology(self):
        self.assert_independent_of_threads_and_shards(changed(DIGITS, topology={"redraw": True}, run={"replicas": 2}))

    def test_global_scope_on_digits(self):
        self.assert_independent_of_threads_and_shards(changed(DIGITS, algorithm={"scope": "global"}))

    def test_sgp_on_digits(self):
        self.assert_independent_of_threads_and_shards(with_algorithm(DIGITS, name="sgp"))

    def test_scsp_gossip_on_digits(self):
        experiment = with_algorithm(DIGITS, name="scsp", keep=0.05, final_rounds=7)
        self.assert_independent_of_threads_and_shards(experiment)

    def test_scsp_all_reduce_on_digits(self):
        experiment = with_algorithm(DIGITS, name="scsp", keep=0.05, final="all_reduce")
        self.assert_independent_of_threads_and_shards(changed(experiment, run={"replicas": 2}))

    def test_averaged_statistics_of_normalization(self):
        self.assert_independent_of_threads_and_shards(changed(RESNET, run={"replicas": 2}))

    def test_reestimated_statistics_of_normalization(self):
        experiment = changed(RESNET, algorithm={"final_statistics": "local", "final": "all_reduce"})
        self.assert_independent_of_threads_and_shards(changed(experiment, run={"replicas": 2}))

    def test_other_norms(self):
        for norm in ("none", "group", "evonorm"):
            with self.subTest(norm):
                config = self.write_config(changed(RESNET, model={"norm": norm}))
                one = self.run_ok(config, f"{norm}_1", "--set", "run.threads=1")
                self.assert_same_results(one, self.run_ok(config, f"{norm}_3", "--set", "run.shards=3"))
                self.assertNotIn("statistics", read_safetensors(one / "checkpoint.safetensors")[0])

    def test_layers_on_a_quadratic_problem(self):
        self.assert_independent_of_threads_and_shards(QUADRATIC)

    def test_replicas_of_a_quadratic_problem(self):
        experiment = changed(QUADRATIC, run={"replicas": 3}, topology={"redraw": True})
        self.assert_independent_of_threads_and_shards(experiment)

    def test_exchange_after_every_third_step(self):
        experiment = with_algorithm(DIGITS, name="scsp", keep=0.05, local_steps=3, final_rounds=4)
        self.assert_independent_of_threads_and_shards(experiment)

    def test_sgp_on_a_quadratic_problem(self):
        self.assert_independent_of_threads_and_shards(with_algorithm(QUADRATIC, name="sgp", averaging_rate=0.6))

    def test_scsp_on_a_quadratic_problem(self):
        for final in ("gossip", "all_reduce"):
            experiment = with_algorithm(QUADRATIC, name="scsp", scope="global", final_rounds=9, final=final)
            with self.subTest(final=final):
                config = self.write_config(experiment)
                one = self.run_ok(config, f"{final}_1", "--set", "run.threads=1")
                self.assert_same_results(one, self.run_ok(config, f"{final}_3", "--set", "run.shards=3"))


class Replicas(SameBitsTest):
    def assert_replicas_are_runs_of_their_own(self, experiment, nodes, seed=5, prefix=""):
        config = self.write_config(changed(experiment, run={"seed": seed}))
        together = self.run_ok(config, f"{prefix}together", "--set", "run.replicas=3")
        tensors, _ = read_safetensors(together / "checkpoint.safetensors")
        lines = (together / "metrics.csv").read_text().splitlines()
        for replica in range(3):
            alone = self.run_ok(config, f"{prefix}alone{replica}", "--set", f"run.seed={seed + replica}")
            own, _ = read_safetensors(alone / "checkpoint.safetensors")
            for name in set(STATES) & set(tensors):
                rows = tensors[name][replica * nodes : (replica + 1) * nodes]
                self.assertEqual(rows.tobytes(), own[name].tobytes(), f"{name} of replica {replica}")
            own_lines = (alone / "metrics.csv").read_text().splitlines()[1:]
            expected = [f"{replica}{line[1:]}" for line in own_lines]
            self.assertEqual([line for line in lines[1:] if line.startswith(f"{replica},")], expected)
        self.assertNotEqual(tensors["x"][:nodes].tobytes(), tensors["x"][nodes : 2 * nodes].tobytes())

    def test_replicas_of_digits(self):
        self.assert_replicas_are_runs_of_their_own(DIGITS, 6)

    def test_replicas_with_statistics_of_normalization(self):
        for final in ("average", "local"):
            with self.subTest(final):
                experiment = changed(RESNET, run={"steps": 2}, algorithm={"final_statistics": final})
                self.assert_replicas_are_runs_of_their_own(experiment, 5, prefix=final)

    def test_replicas_of_a_redrawn_topology(self):
        experiment = with_algorithm(changed(QUADRATIC, topology={"redraw": True}), name="scsp", final_rounds=5)
        self.assert_replicas_are_runs_of_their_own(experiment, 7)

    def test_replicas_that_end_with_an_exact_mean(self):
        experiment = with_algorithm(changed(QUADRATIC, topology={"redraw": True}), name="scsp", final="all_reduce")
        self.assert_replicas_are_runs_of_their_own(experiment, 7)


class Properties(SameBitsTest):
    def test_statistics_are_what_nodes_have_in_common_after_the_final_rounds(self):
        rows, tables = {}, set()
        for name, algorithm in {
            "average": RESNET["algorithm"],
            "local": RESNET["algorithm"] | {"final_statistics": "local"},
            "never": {"name": "sparse_push", "keep": 0.05},
        }.items():
            out = self.run_ok(self.write_config(RESNET | {"algorithm": algorithm}), name)
            tensors, metadata = read_safetensors(out / "checkpoint.safetensors")
            rows[name] = tensors["statistics"]
            tables.add(metadata["statistics"])
        self.assertEqual([rows[name].shape for name in rows], [(5, 1376)] * 3)
        self.assertTrue((rows["average"] == rows["average"][0]).all())
        mean = rows["never"].astype("f8").sum(axis=0) / 5
        self.assertTrue(np.allclose(rows["average"][0], mean, rtol=1e-6, atol=1e-12))
        self.assertFalse((rows["local"] == rows["local"][0]).all())
        (table,) = (json.loads(text) for text in tables)
        self.assertEqual([(t["name"], t["shape"], t["offset"]) for t in table[:3]],
                         [("bn1.running_mean", [16], 0), ("bn1.running_var", [16], 16),
                          ("layer1.0.bn1.running_mean", [16], 32)])
        self.assertEqual(table[-1], {"name": "layer3.2.bn2.running_var", "shape": [64], "offset": 1376 - 64})
        for tensor in table:
            variances = rows["local"][:, tensor["offset"] : tensor["offset"] + tensor["shape"][0]]
            self.assertTrue((variances >= 0).all() or tensor["name"].endswith("mean"), tensor["name"])

    def test_keeping_everything_equals_sgp(self):
        for name, experiment in {"digits": DIGITS, "quadratic": QUADRATIC}.items():
            with self.subTest(name):
                sparse = with_algorithm(experiment, name="sparse_push", keep=1.0, averaging_rate=0.6)
                dense = with_algorithm(experiment, name="sgp", averaging_rate=0.6)
                folders = [self.run_ok(self.write_config(kind), f"{name}{i}") for i, kind in enumerate((sparse, dense))]
                first, second = (read_safetensors(folder / "checkpoint.safetensors")[0] for folder in folders)
                for state in ("x", "momentum", "u"):
                    self.assertEqual(first[state].tobytes(), second[state].tobytes(), state)
                self.assertFalse(first["error"].any())
                for one, other in zip(*map(read_metrics, folders)):
                    for column in ("train_loss", "test_loss", "consensus", "accuracy_mean", "u_max", "bytes_dense"):
                        self.assertEqual(one[column], other[column])

    def test_pure_gossip_conserves_mass(self):
        problem = quadratic(7, (1, 30, 66, 5), pull=0.0)
        self.write("problem.safetensors", problem)
        experiment = changed(QUADRATIC, run={"steps": 200}, optimizer={"weight_decay": 0.0}, algorithm={"keep": 0.1})
        out = self.run_ok(self.write_config(experiment), "out")
        tensors, _ = read_safetensors(out / "checkpoint.safetensors")
        x = tensors["x"].astype(np.float64)
        size = np.abs(x).sum(axis=0) + np.abs(x + tensors["error"]).sum(axis=0)
        lost = np.abs(x.sum(axis=0) - problem["start"].astype(np.float64).sum(axis=0))
        self.assertTrue((lost <= 200 * (6 + 1) * 2.0**-24 * size.max()).all())
        self.assertFalse(np.array_equal(tensors["x"], problem["start"]))
        self.assertAlmostEqual(tensors["u"].sum(), 7, delta=7e-12)
        self.assertGreater(np.ptp(tensors["u"]), 0.01)

    def test_rows_are_written_at_the_start_at_the_end_of_training_and_after_the_final_rounds(self):
        experiment = with_algorithm(changed(QUADRATIC, evaluate={"every_steps": 0}), name="scsp", final_rounds=4)
        out = self.run_ok(self.write_config(experiment), "out")
        self.assertEqual((out / "metrics.csv").read_text().splitlines()[0], METRICS_HEADER)
        rows = read_metrics(out)
        self.assertEqual([row["step"] for row in rows], ["0", "30", "34"])
        self.assertEqual([row["lr"] == "" for row in rows], [False, False, True])
        self.assertFalse((out / "partition.csv").exists())

    def test_what_a_run_writes(self):
        out = self.run_ok(self.write_config(DIGITS), "out", "--set", "run.steps=6")
        written = {path.name for path in out.iterdir()}
        expected = {"config.toml", "metrics.csv", "timing.csv", "summary.json", "partition.csv", "log.txt"}
        self.assertLessEqual(expected | {"checkpoint.safetensors"}, written)
        self.assertEqual([row["step"] for row in read_metrics(out)], ["0", "5", "6"])
        again = self.run_ok(out / "config.toml", "again")
        self.assert_same_results(out, again)


if __name__ == "__main__":
    main()
