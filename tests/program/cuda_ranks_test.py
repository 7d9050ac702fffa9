"""Processes whose shards are on GPUs, which they may share: the bytes of one process on the CPU. On a machine with a GPU for
each, also from GPU to GPU through NCCL."""

import re

from launched import LaunchedTest
from program import main, quadratic

QUADRATIC = {
    "run": {"nodes": 5, "steps": 6, "replicas": 2},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.1, "final_rounds": 2},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 3},
}


class CudaRanks(LaunchedTest):
    timeout = 90  # a GPU's driver begins slowly

    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (1, 30, 66, 5)))
        self.config = self.write_config(QUADRATIC)
        if "built without CUDA" in self.command("--version").stdout:
            self.skipTest("this program was built without CUDA")
        if self.command("run", self.config, "--backend", "cuda", "--out", "probe").returncode == 2:
            self.skipTest("no CUDA GPU")

    def compare(self, config, **keys):
        expected = self.run_ok(config, f"cpu{len(list(self.folder.iterdir()))}", "--backend", "cpu")
        for ranks in (2, 3):
            sets = [word for key, value in keys.items() for word in ("--set", f"run.{key}={value}")]
            out = self.launch_ok(ranks, config, f"{expected.name}_{ranks}", "--backend", "cuda", *sets)
            self.assert_same_results(expected, out)
            self.assertIn('"backend": "cuda"', (out / "summary.json").read_text())

    def test_processes_share_a_gpu(self):
        self.compare(self.config, transport="mpi")

    def test_dense_messages_and_means(self):
        for name in ("sgp", "all_reduce", "fda"):
            keys = {"name": name} | ({"threshold": 20.0} if name == "fda" else {})
            with self.subTest(name):
                self.compare(self.write_config(QUADRATIC | {"algorithm": keys}, f"{name}.toml"), transport="mpi")

    def test_they_go_on_in_one_process_on_the_cpu(self):
        config = self.write_config(QUADRATIC | {"algorithm": {"name": "sparse_push", "keep": 0.1}}, "longer.toml")
        expected = self.run_ok(config, "expected", "--backend", "cpu")
        self.launch_ok(2, config, "out", "--backend", "cuda", "--set", "run.steps=3")
        self.assert_same_results(expected, self.run_ok(config, "out", "--backend", "cpu", "--resume"))

    def test_nccl_wants_a_gpu_for_each(self):
        done = self.launch(3, "run", self.config, "--backend", "cuda", "--out", "nccl", "--set", 'run.transport="nccl"')
        if done.code == 0:  # where there are three GPUs
            self.assert_same_results(self.run_ok(self.config, "alone", "--backend", "cpu"), self.folder / "nccl")
            return
        self.assertEqual(done.code, 2)
        self.assertRegex("\n".join(self.own_lines(done)), re.escape('run.transport: "nccl" wants a GPU for each process'))


if __name__ == "__main__":
    main()
