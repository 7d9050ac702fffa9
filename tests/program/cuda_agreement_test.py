"""A run on a GPU equals the same run on the CPU: in every bit where gradients are defined so, nearly for networks.

usage: cuda_agreement_test.py PROGRAM [--other cpu] [--large] [unittest's arguments]. --other cpu compares two numbers
of threads instead, to try the test itself; --large adds runs that are too long for a simulator.
"""

import sys

import numpy as np

from program import ProgramTest, main, quadratic, read_metrics, read_safetensors

QUADRATIC = {
    "run": {"nodes": 5, "steps": 9},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 4},
}
DIGITS = {
    "run": {"nodes": 4, "steps": 6},
    "data": {"name": "digits", "partition": "skew", "skew": 0.5, "batch": 4},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 3, "nodes": 2},
}
IMAGES = {
    "run": {"nodes": 3, "steps": 2},
    "data": {"name": "digits", "batch": 3, "augment": True},
    "optimizer": {"lr": 0.02},
    "evaluate": {"every_steps": 2, "nodes": 1, "samples": 5},
}
SOFTMAX, MLP = {"model": {"name": "softmax"}}, {"model": {"name": "mlp", "hidden": [9]}}
RING = {"topology": {"name": "directed_ring"}}
REDRAWN = {"topology": {"name": "random_out", "degree": 2, "redraw": True}}
SPARSE = {"algorithm": {"name": "sparse_push", "keep": 0.05}}
GLOBAL = {"algorithm": {"name": "sparse_push", "keep": 0.05, "scope": "global"}}
SGP = {"algorithm": {"name": "sgp"}}
FDA = {"algorithm": {"name": "fda", "threshold": 2.0}}  # exceeded in some steps
SCSP = {"algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 3}}
ALL_REDUCE = {"algorithm": {"name": "scsp", "keep": 0.05, "final": "all_reduce"}}

RESNET20 = {"model": {"name": "resnet20", "norm": "batch"}}
BLOCKS = {"algorithm": {"name": "shared_block", "blocks": 3}, "optimizer": {"kind": "quasi_global", "lr": 0.05}}
UPDATES = {"algorithm": {"name": "scsp", "compress": "update", "keep": 0.05, "final_rounds": 3},
           "optimizer": {"kind": "adam", "lr": 0.01}}
D2 = {"algorithm": {"name": "d2"}, "topology": {"name": "ring"}}

# What may differ between networks' sums: relative, of a whole array.
TOLERANCE = 1e-3
COUNTS = ("messages", "bytes_authors", "bytes_coo32", "bytes_dense")

other = ["--backend", "cuda"]


class BackendsAgree(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (1, 30, 66, 5)))
        config = self.write_config(QUADRATIC | {"run": {"nodes": 5, "steps": 1}}, "probe.toml")
        probe = self.command("run", config, "--out", self.folder / "probe", "--quiet", *other)
        if probe.returncode == 2 and "cannot be used" in probe.stderr:
            self.skipTest(probe.stderr.strip())

    def run_both(self, experiment):
        config = self.write_config(experiment)
        first = self.run_ok(config, "cpu", "--backend", "cpu", "--set", "run.threads=1")
        return first, self.run_ok(config, "other", *other)

    def test_resnet20(self):
        """Layers of images, with running statistics in training, tests and checkpoints."""
        exact = IMAGES["run"] | {"precision": "fp32"}
        self.assert_nearly_equal(*self.run_both(IMAGES | SPARSE | RESNET20 | {"run": exact}))

    def test_resnet20_in_tf32(self):
        """What auto is on a GPU. After one step: rounding changes signs before a ReLU, and so more of gradients."""
        one_step = IMAGES["run"] | {"steps": 1}
        both = self.run_both(IMAGES | SGP | RESNET20 | {"run": one_step})
        self.assert_nearly_equal(*both, tolerance=0.02, of_gradients=0.2)
        if other[1] != "cuda":
            return
        exact = self.write_config(IMAGES | SGP | RESNET20 | {"run": one_step | {"precision": "fp32"}})
        in_fp32 = read_safetensors(self.run_ok(exact, "fp32", *other) / "checkpoint.safetensors")[0]["momentum"]
        in_tf32 = read_safetensors(both[1] / "checkpoint.safetensors")[0]["momentum"]
        self.assertGreater(np.linalg.norm(in_tf32 - in_fp32), 1e-5 * np.linalg.norm(in_fp32))

    def test_d2(self):
        self.assert_same_results(*self.run_both(QUADRATIC | D2))

    def assert_nearly_equal(self, first, second, tolerance=TOLERANCE, of_gradients=TOLERANCE):
        (tensors, metadata), (others, other_metadata) = (
            read_safetensors(folder / "checkpoint.safetensors") for folder in (first, second)
        )
        self.assertEqual(metadata, other_metadata)
        for name in ("x", "momentum", "u"):
            distance = np.linalg.norm(tensors[name].astype("f8") - others[name])
            allowed = of_gradients if name == "momentum" else tolerance
            self.assertLessEqual(distance, allowed * np.linalg.norm(tensors[name].astype("f8")), name)
        for row, other_row in zip(read_metrics(first), read_metrics(second), strict=True):
            for name in COUNTS:
                self.assertEqual(row[name], other_row[name], name)
            for name in ("train_loss", "test_loss", "loss_mean_model"):
                if row[name] or other_row[name]:
                    self.assertAlmostEqual(float(row[name]) / float(other_row[name]), 1, delta=tolerance, msg=name)


def add_tests():
    """One test a combination, so that each is reported by itself."""
    topologies = {"ring": RING, "redrawn": REDRAWN}
    algorithms = {"sparse_push": SPARSE, "global": GLOBAL, "sgp": SGP, "scsp": SCSP, "scsp_all_reduce": ALL_REDUCE,
                  "fda": FDA, "blocks": BLOCKS, "updates": UPDATES}
    experiments = {"quadratic": QUADRATIC, "softmax": DIGITS | SOFTMAX, "mlp": DIGITS | MLP}
    for problem, experiment in experiments.items():
        for algorithm, algorithm_keys in algorithms.items():
            for topology, topology_keys in topologies.items():
                if problem != "quadratic" and (algorithm in ("global", "fda", "updates") or topology == "redrawn"):
                    continue  # what the quadratic problem covers
                sections = experiment | algorithm_keys | topology_keys

                def test(self, sections=sections, exactly=problem == "quadratic"):
                    both = self.run_both(sections)
                    self.assert_same_results(*both) if exactly else self.assert_nearly_equal(*both)

                setattr(BackendsAgree, f"test_{problem}_{algorithm}_{topology}", test)


def add_large_tests():
    """Many blocks a kernel, large segments, many rounds: what a simulator would take hours for."""

    def test(self, keys):
        self.write("problem.safetensors", quadratic(48, (1, 30, 4096, 70001, 512, 24577)))
        experiment = QUADRATIC | {"run": {"nodes": 48, "steps": 60}} | REDRAWN | {"evaluate": {"every_steps": 20}}
        self.assert_same_results(*self.run_both(experiment | keys))

    for name, keys in {"sparse_push": SPARSE, "global": GLOBAL, "sgp": SGP, "scsp": SCSP}.items():
        for keep in (0.001, 0.01) if name == "sparse_push" else (None,):
            changed = {"algorithm": keys["algorithm"] | ({"keep": keep} if keep else {})}
            method = lambda self, changed=changed: test(self, changed)
            setattr(BackendsAgree, f"test_large_quadratic_{name}{f'_{keep}' if keep else ''}", method)


if __name__ == "__main__":
    if sys.argv[2:4] == ["--other", "cpu"]:
        other = ["--backend", "cpu", "--set", "run.threads=2"]
        del sys.argv[2:4]
    if sys.argv[2:3] == ["--large"]:
        del sys.argv[2]
        add_large_tests()
    add_tests()
    main()
