"""Runs whose convolutions cuDNN computes, beside the same by our own kernels: on a GPU that has it, or with the stand-in
of the simulator. usage: cuda_cudnn_test.py PROGRAM [unittest's arguments]
"""

import numpy as np

from program import main, read_metrics, read_safetensors
from refused import ErrorsTest

IMAGES = {
    "run": {"nodes": 3, "steps": 2, "precision": "fp32"},
    "data": {"name": "digits", "batch": 3, "augment": True},
    "model": {"name": "resnet20", "norm": "batch"},
    "algorithm": {"name": "sgp"},
    "optimizer": {"lr": 0.02},
    "evaluate": {"every_steps": 2, "nodes": 1, "samples": 5},
}
CUDNN = ("--set", "run.convolution=cudnn")

# Of whole arrays, in fp32: sums of another order, which signs before a ReLU amplify.
TOLERANCE = 1e-3


class CudnnTest(ErrorsTest):
    def setUp(self):
        super().setUp()
        self.config = self.write_config(IMAGES, "images.toml")
        if "built without CUDA" in self.command("--version").stdout:
            self.skipTest("this program was built without CUDA")
        probe = self.command("plan", self.config, "--backend", "cuda", *CUDNN)
        if probe.returncode == 2 and "cannot be used" in probe.stderr:
            self.skipTest(probe.stderr.strip())
        self.assertEqual(probe.returncode, 0, probe.stderr)

    def run_gpu(self, out, *arguments):
        return self.run_ok(self.config, out, "--backend", "cuda", *arguments)

    def test_training_is_nearly_that_by_our_own_kernels(self):
        own, other = self.run_gpu("own"), self.run_gpu("cudnn", *CUDNN)
        (tensors, metadata), (others, other_metadata) = (
            read_safetensors(folder / "checkpoint.safetensors") for folder in (own, other)
        )
        self.assertNotEqual(metadata, other_metadata, "it counts for the hash")
        for name in ("x", "momentum", "u"):
            size = np.linalg.norm(tensors[name].astype("f8"))
            self.assertLessEqual(np.linalg.norm(tensors[name].astype("f8") - others[name]), TOLERANCE * size, name)
        self.assertFalse(np.array_equal(tensors["momentum"], others["momentum"]), "something else computed it")
        for row, other_row in zip(read_metrics(own), read_metrics(other), strict=True):
            for name in ("train_loss", "test_loss"):
                if row[name]:
                    self.assertAlmostEqual(float(row[name]) / float(other_row[name]), 1, delta=TOLERANCE, msg=name)

    def test_shards_and_repetitions_have_the_same_bits(self):
        first = self.run_gpu("first", *CUDNN)
        self.assert_same_results(first, self.run_gpu("again", *CUDNN))
        self.assert_same_results(first, self.run_gpu("shards", *CUDNN, "--set", "run.shards=2"))

    def test_the_run_says_so_and_plans_more_memory(self):
        done = self.command("run", self.config, "--backend", "cuda", "--out", "said", *CUDNN)
        self.assertRegex(done.stdout + done.stderr, r", fp32, cuDNN 9\.\d+\.\d+")
        self.assertRegex(self.command("--version").stdout, r"\nconvolutions on a GPU: own, cudnn 9\.\d+\.\d+\n")
        activations = []
        for more in ((), CUDNN):
            planned = self.command("plan", self.config, "--backend", "cuda", *more)
            self.assertEqual(planned.returncode, 0, planned.stderr)
            activations.append(next(line for line in planned.stdout.splitlines() if "activations" in line))
        self.assertNotEqual(*activations)

    def test_it_is_refused_on_the_cpu(self):
        for command in ("run", "plan"):
            refused = self.command(command, self.config, "--backend", "cpu", *CUDNN)
            self.assert_one_line(refused, 2, ["run.convolution", '"cudnn"', "on a GPU", '"own"'])


if __name__ == "__main__":
    main()
