"""Networks learn CIFAR-10, if the environment variable SPARSEPUSH_CIFAR10 names the folder of its binary files."""

import os
import unittest

from program import ProgramTest, main, read_metrics

FOLDER = os.environ.get("SPARSEPUSH_CIFAR10")
LENET = {
    "run": {"nodes": 8, "epochs": 4},
    "data": {"name": "cifar10", "path": FOLDER, "augment": True},
    "model": {"name": "lenet5"},
    "algorithm": {"name": "sparse_push"},
    "optimizer": {"lr": 0.02, "milestones": [3]},
    "evaluate": {"nodes": 1},
}
RESNET = LENET | {
    "run": {"nodes": 8, "steps": 150},
    "model": {"name": "resnet20", "norm": "batch"},
    "algorithm": {"name": "sgp"},
    "optimizer": {"lr": 0.05},
    "evaluate": {"nodes": 1, "every_steps": 150},
}


@unittest.skipUnless(FOLDER, "SPARSEPUSH_CIFAR10 is not set")
class Cifar10(ProgramTest):
    def assert_learns(self, config, accuracy):
        """The mean model reaches `accuracy`; 0.1 is chance."""
        last = read_metrics(self.run_ok(self.write_config(config), "out"))[-1]
        self.assertGreater(float(last["accuracy_mean_model"]), accuracy)

    def test_lenet5_with_sparse_messages(self):
        self.assert_learns(LENET, 0.36)

    def test_lenet5_with_dense_messages(self):
        self.assert_learns(LENET | {"algorithm": {"name": "sgp"}}, 0.52)

    def test_resnet20(self):
        self.assert_learns(RESNET, 0.25)


if __name__ == "__main__":
    main()
