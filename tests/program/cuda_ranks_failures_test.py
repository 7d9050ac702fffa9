"""Processes that send from GPU to GPU, and fail or are ended: all of them end, and one line says how to go on. Over the
stand-in for NCCL of the simulated GPU."""

import os
import signal
import time
from pathlib import Path

from program import main, quadratic
from ranks_failures_test import TRAINING, FailuresTest

SETTINGS = ["--backend", "cuda", "--set", 'run.transport="nccl"', "--quiet"]
RANKS = 3


class FromGpuToGpu(FailuresTest):
    def setUp(self):
        super().setUp()
        if not Path(self.program).name.endswith("_simulated"):
            self.skipTest("no stand-in for NCCL")
        self.write("problem.safetensors", quadratic(8, (20, 31, 15)))

    def test_killed(self):
        config = self.write_config(TRAINING)
        for victim in range(RANKS):
            with self.subTest(victim):
                out = f"out{victim}"
                launch = self.start(RANKS, "run", config, "--out", out, *SETTINGS)
                self.assertEqual(len(launch.all_pids()), RANKS)
                self.assertTrue(launch.await_that(lambda: self.rows(out) > 3 and self.saved_step(out) > 0))
                os.kill(launch.pids[victim], signal.SIGKILL)
                self.assert_ended(launch, time.monotonic())
                self.assertEqual(self.last_words(launch), "sparsepush: the run was ended; its last checkpoint is "
                                 f"{out}/checkpoint.safetensors; go on with: mpirun -np {RANKS} sparsepush resume {out}")
        self.assert_same_as_undisturbed(out, 0)

    def test_diverged(self):
        problem = quadratic(8, (20, 31, 15))
        problem["curvature"][7] *= 1e4
        self.write("problem.safetensors", problem)
        config = self.write_config(TRAINING)
        alone = self.command("run", config, "--out", "alone", "--backend", "cuda", "--quiet")
        self.assertEqual(alone.returncode, 1, alone.stderr)
        launch = self.start(RANKS, "run", config, "--out", "out", *SETTINGS)
        self.await_end(launch)
        self.assertEqual(launch.code, 1, launch.stderr)
        self.assertEqual(self.own_lines(launch), alone.stderr.splitlines())
        self.assert_same_results(self.folder / "alone", self.folder / "out")


if __name__ == "__main__":
    main()
