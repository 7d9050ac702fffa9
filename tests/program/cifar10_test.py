"""Networks learn CIFAR-10, if the environment variable SPARSEPUSH_CIFAR10 names the folder of its binary files."""

import os
import unittest

from program import ProgramTest, main, read_metrics

FOLDER = os.environ.get("SPARSEPUSH_CIFAR10")
LENET = {
    "run": {"nodes": 8, "steps": 400},
    "data": {"name": "cifar10", "path": FOLDER, "augment": True},
    "model": {"name": "lenet5"},
    "algorithm": {"name": "sparse_push"},
    "optimizer": {"lr": 0.02},
    "evaluate": {"nodes": 1, "every_steps": 400},
}
RESNET = LENET | {
    "run": {"nodes": 4, "steps": 100},
    "model": {"name": "resnet20", "norm": "batch"},
    "algorithm": {"name": "sgp"},
    "optimizer": {"lr": 0.05},
    "evaluate": {"nodes": 1, "every_steps": 100},
}


@unittest.skipUnless(FOLDER, "SPARSEPUSH_CIFAR10 is not set")
class Cifar10(ProgramTest):
    timeout = 280  # a processor without AVX-512 needs a minute or more for each, and may have other work

    def assert_learns(self, config, accuracy):
        """The mean model reaches `accuracy`; 0.1 is chance."""
        last = read_metrics(self.run_ok(self.write_config(config), "out"))[-1]
        self.assertGreater(float(last["accuracy_mean_model"]), accuracy)

    def test_lenet5_with_sparse_messages(self):
        self.assert_learns(LENET, 0.22)

    def test_lenet5_with_dense_messages(self):
        self.assert_learns(LENET | {"algorithm": {"name": "sgp"}}, 0.34)

    def test_resnet20(self):
        self.assert_learns(RESNET, 0.22)


if __name__ == "__main__":
    main()
