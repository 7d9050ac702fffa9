"""Runs on the Cuda backend: on a GPU, or where the program was built with the simulator, without one."""

from program import ProgramTest, main, quadratic

QUADRATIC = {
    "run": {"nodes": 5, "steps": 6, "threads": 1},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.1, "final_rounds": 2},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 3},
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

    def test_shards_share_the_gpu(self):
        expected = self.run_ok(self.config, "cpu", "--backend", "cpu")
        for shards in (2, 3):
            out = self.run_ok(self.config, f"shards{shards}", "--backend", "cuda", "--set", f"run.shards={shards}")
            self.assert_same_results(expected, out)

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


if __name__ == "__main__":
    main()
