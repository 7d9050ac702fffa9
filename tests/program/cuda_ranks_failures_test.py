"""Processes that send from GPU to GPU, and fail or are ended: all of them end, and one line says how to go on. Over the
stand-in for NCCL of the simulated GPU."""

import os
import resource
import signal
import time
from pathlib import Path

from program import main, quadratic
from ranks_failures_test import TRAINING, FailuresTest, address_space

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

    def test_by_divergence_of_a_node_of_the_last_rank(self):
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

    def test_by_memory_that_one_process_lacks(self):
        self.write("problem.safetensors", quadratic(8, (20000,)))  # whose sums the system gives memory for
        config = self.write_config(TRAINING | {"evaluate": {"every_steps": 1}})
        for rank in range(RANKS):
            with self.subTest(rank):
                out = f"out{rank}"
                returning = self.per_rank({rank: "export MALLOC_MMAP_THRESHOLD_=100000"})
                launch = self.start(RANKS, "run", config, "--out", out, *SETTINGS, program=returning)
                self.assertTrue(launch.await_that(lambda: self.rows(out) > 3))
                pid = launch.all_pids()[rank]
                limit = min(address_space(pid) for _ in range(200)) + 100_000
                resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
                self.assert_ended(launch, time.monotonic())
                self.assertEqual(launch.code, 1, launch.stderr)
                # Where NCCL would wait for the launcher, the stand-in fails, which may be heard first.
                self.assertRegex(self.last_words(launch), f"out of memory|simulated NCCL: .*rank {rank}")

    def test_by_a_full_disk(self):
        launch = self.start(RANKS, "run", self.write_config(TRAINING), "--out", "out", *SETTINGS)
        self.assertTrue(launch.await_that(lambda: self.checkpoint().exists() and self.saved_step() > 0))
        size = self.checkpoint().stat().st_size // 2
        resource.prlimit(launch.all_pids()[0], resource.RLIMIT_FSIZE, (size, size))
        self.assert_ended(launch, time.monotonic())
        self.assertEqual(launch.code, 1, launch.stderr)
        self.assertRegex(self.last_words(launch), r"checkpoint\.safetensors")


if __name__ == "__main__":
    main()
