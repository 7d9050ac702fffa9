"""Runs on the Cuda backend: on a GPU, or where the program was built with the simulator, without one."""

from program import ProgramTest, main, quadratic, read_metrics, read_safetensors

QUADRATIC = {
    "run": {"nodes": 5, "steps": 6, "threads": 1},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.1, "final_rounds": 2},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 3},
}
DIGITS = {
    "run": {"nodes": 3, "steps": 3},
    "data": {"batch": 4},
    "model": {"name": "softmax"},
    "algorithm": {"keep": 0.05},
}


class CudaTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (1, 30, 66, 5)))
        self.config = self.write_config(QUADRATIC)
        if "built without" in self.command("--version").stdout:
            self.skipTest("this program was built without CUDA")
        if self.command("run", self.config, "--backend", "cuda", "--out", "probe").returncode == 2:
            self.skipTest("no CUDA GPU")

    def test_results_are_the_cpus(self):
        expected = self.run_ok(self.config, "cpu", "--backend", "cpu")
        self.assert_same_results(expected, self.run_ok(self.config, "cuda", "--backend", "cuda"))
        shards = self.run_ok(self.config, "shards", "--backend", "cuda", "--set", "run.shards=2")
        self.assert_same_results(expected, shards)

    def test_auto_takes_the_gpu_and_says_so(self):
        done = self.command("run", self.config, "--backend", "auto", "--out", "auto")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("backend: cuda, ", done.stdout + done.stderr)
        self.assertIn('"backend": "cuda"', (self.folder / "auto/summary.json").read_text())

    def test_runs_resume_on_the_other_backend(self):
        experiment = QUADRATIC | {"algorithm": {"name": "sparse_push", "keep": 0.1}}
        config = self.write_config(experiment, "longer.toml")
        expected = self.run_ok(config, "expected", "--backend", "cpu")
        for first, second in (("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")):
            with self.subTest(first=first, second=second):
                out = f"{first}_{second}"
                self.run_ok(config, out, "--backend", first, "--set", "run.steps=3")
                resumed = self.run_ok(config, out, "--backend", second, "--resume")
                self.assert_same_results(expected, resumed)

    def test_networks_agree_closely(self):
        config = self.write_config(DIGITS, "digits.toml")
        runs = [self.run_ok(config, backend, "--backend", backend) for backend in ("cpu", "cuda")]
        one, other = (read_safetensors(out / "checkpoint.safetensors")[0] for out in runs)
        self.assertLess(abs(one["x"] - other["x"]).max(), 1e-5)
        for first, second in zip(*map(read_metrics, runs)):
            self.assertAlmostEqual(float(first["test_loss"]), float(second["test_loss"]), delta=1e-5)
            self.assertEqual(first["bytes_coo32"], second["bytes_coo32"])


if __name__ == "__main__":
    main()
