"""Points of a table on the Cuda backend, side by side: on a GPU, or where the program was built with the simulator."""

import csv

from program import ProgramTest, main, quadratic, toml

BASE = {
    "run": {"nodes": 5, "steps": 16, "threads": 1},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "final_rounds": 2, "averaging_rate": 0.1},
    "evaluate": {"every_steps": 4},
}
SWEEP = """
[sweep]
"run.seed" = [1, 6]
point = [
  { name = "learns", "algorithm.keep" = 0.1, "optimizer.lr" = 0.05 },
  { name = "diverges", "algorithm.keep" = 0.3, "optimizer.lr" = 1e6 },
]
"""


class CudaSharedLaunches(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (1, 30, 66, 5)))
        if "built without" in self.command("--version").stdout:
            self.skipTest("this program was built without CUDA")
        probe = self.write_config(BASE | {"run": BASE["run"] | {"steps": 1}}, "probe.toml")
        if self.command("run", probe, "--backend", "cuda", "--out", "probe").returncode == 2:
            self.skipTest("no CUDA GPU")

    def test_points_have_the_bytes_of_whole_points_on_the_cpu(self):
        config = self.write("a.toml", toml(BASE) + SWEEP)
        done = self.command("table", config, "--backend", "cuda", "--out", "cuda")
        self.assertEqual(done.returncode, 1, done.stderr)  # half of them diverge
        self.assertIn("4 points: 4 to train, 4 at once", done.stderr)
        self.assertEqual(self.command("table", config, "--backend", "cpu", "--jobs", 2, "--out", "cpu").returncode, 1)
        with open(self.folder / "cuda/points.csv", newline="") as file:
            points = list(csv.DictReader(file))
        self.assertEqual([point["status"] for point in points], ["finished"] * 2 + ["diverged"] * 2)
        for point in points:
            mine, yours = (self.folder / out / point["folder"] for out in ("cuda", "cpu"))
            if point["status"] == "finished":
                self.assert_same_results(mine, yours)
            self.assertEqual((mine / "metrics.csv").read_bytes(), (yours / "metrics.csv").read_bytes())
            self.assertEqual((mine / "nodes.csv").read_bytes(), (yours / "nodes.csv").read_bytes())


if __name__ == "__main__":
    main()
