"""Processes that fail or are ended: all of them end, one line says how to go on, and going on gives the same bytes."""

import json
import os
import random
import resource
import shlex
import signal
import subprocess
import time
from pathlib import Path

from launched import LaunchedTest
from program import main, quadratic, read_safetensors

TRAINING = {
    "run": {"nodes": 8, "steps": 10**6, "checkpoint_steps": 70, "replicas": 2},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 3, "redraw": True},
    "algorithm": {"name": "sparse_push", "keep": 0.02, "averaging_rate": 0.01},
    "evaluate": {"every_steps": 50},
}
SLOW_TESTS = {  # which take far longer than the steps between them
    "run": {"nodes": 6, "steps": 4, "checkpoint_steps": 10**6},
    "data": {"name": "synthetic", "samples": 20000, "features": 500, "classes": 10, "batch": 1},
    "model": {"name": "mlp", "hidden": [500]},
    "evaluate": {"every_steps": 2},
}
RANKS = 3
KILLS = 20
MOST_SECONDS = 5  # for the others to end


def address_space(pid):
    """The bytes that a process has reserved, in this moment."""
    time.sleep(0.001)
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


class FailuresTest(LaunchedTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(8, (700, 31, 1500)))

    def checkpoint(self, out="out"):
        return self.folder / out / "checkpoint.safetensors"

    def rows(self, out="out"):
        path = self.folder / out / "metrics.csv"
        return path.read_text().count("\n") if path.exists() else 0

    def saved_step(self, out="out"):
        return read_safetensors(self.checkpoint(out))[0]["step"][0]

    def last_words(self, launch):
        """The only line of ours that begins with the program's name."""
        lines = [line for line in self.own_lines(launch) if line.startswith("sparsepush: ")]
        self.assertEqual(len(lines), 1, launch.stderr)
        return lines[0]

    def assert_ended(self, launch, since):
        """All processes end within MOST_SECONDS, with an exit code that says so."""
        try:
            launch.output(max(0.1, since + MOST_SECONDS - time.monotonic()))
        except subprocess.TimeoutExpired:
            launch.kill()
            self.fail(f"mpirun has not ended within {MOST_SECONDS} s")
        self.assertEqual(launch.left(max(0.0, since + MOST_SECONDS - time.monotonic())), [])
        self.assertNotEqual(launch.code, 0, launch.stderr)

    def assert_same_as_undisturbed(self, out, launched):
        """A run of TRAINING that was ended goes on, in one process or in `launched` ones, as if left alone."""
        step = 50 * (self.saved_step(out) // 50 + 2)  # which is tested anyway
        settings = ["--set", f"run.steps={step}"]
        if launched:
            done = self.launch(launched, "resume", out, "--quiet", *settings)
            self.assertEqual(done.code, 0, done.stderr)
        else:
            done = self.command("resume", out, "--quiet", *settings)
            self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.folder / f"left_alone_{step}"
        if not expected.exists():
            self.run_ok(self.write_config(TRAINING), expected.name, *settings)
        self.assert_same_results(expected, self.folder / out)


class Killed(FailuresTest):
    def kill(self, out, victim, rows, seconds):
        """Kills a rank so long after metrics.csv has so many lines; returns the launch."""
        launch = self.start(RANKS, "run", self.config, "--out", out, "--quiet")
        self.assertEqual(len(launch.all_pids()), RANKS)
        self.assertTrue(launch.await_that(lambda: self.rows(out) >= rows))
        time.sleep(seconds)
        os.kill(launch.pids[victim], signal.SIGKILL)
        self.assert_ended(launch, time.monotonic())
        return launch

    def assert_goes_on(self, out, launch, resumed_by):
        """What is said last holds; returns what the run was at."""
        if not (self.folder / out).exists():  # nobody needs to say anything yet
            self.assertLessEqual(len(self.own_lines(launch)), 1)
            return "starting"
        if not self.checkpoint(out).exists():
            self.assertEqual(self.last_words(launch),
                             "sparsepush: the run was ended before its first checkpoint; start it again")
            return "beginning"
        self.assertEqual(self.last_words(launch), "sparsepush: the run was ended; its last checkpoint is "
                         f"{out}/checkpoint.safetensors; go on with: mpirun -np {RANKS} sparsepush resume {out}")
        self.assert_same_as_undisturbed(out, resumed_by)
        return "training"

    def test_at_any_moment(self):
        self.config = self.write_config(TRAINING)
        dice, moments = random.Random(1), []
        for kill in range(KILLS):
            early = kill % 4 == 0
            rows, seconds = (0, dice.uniform(0, 0.6)) if early else (dice.randrange(2, 50), dice.uniform(0, 0.02))
            with self.subTest(kill, rows=rows, seconds=seconds):
                launch = self.kill(f"killed{kill}", dice.randrange(RANKS), rows, seconds)
                moments.append(self.assert_goes_on(f"killed{kill}", launch, RANKS * (kill % 2)))
        print("kills:", {moment: moments.count(moment) for moment in sorted(moments)}, flush=True)
        self.assertGreaterEqual(moments.count("training"), KILLS * 3 // 4)

    def test_the_launcher_itself(self):
        launch = self.start(RANKS, "run", self.write_config(TRAINING), "--out", "out", "--quiet")
        self.assertTrue(launch.await_that(lambda: self.checkpoint().exists()))
        self.assertEqual(len(launch.all_pids()), 3)
        launch.mpirun.kill()
        self.assertEqual(launch.left(MOST_SECONDS), [])


class Asked(FailuresTest):
    """Signals that the launcher passes on."""

    def test_to_save_and_go_on(self):
        sections = TRAINING | {"run": TRAINING["run"] | {"checkpoint_steps": 10**6, "steps": 3000}}
        config = self.write_config(sections)
        launch = self.start(RANKS, "run", config, "--out", "out")
        self.assertTrue(launch.await_that(lambda: self.rows() > 3))
        self.assertEqual(self.saved_step(), 0)
        launch.all_pids()
        launch.mpirun.send_signal(signal.SIGUSR1)
        self.assertTrue(launch.await_that(lambda: self.saved_step() > 0))
        saved = self.saved_step()
        self.assertLess(saved, 3000)
        self.await_end(launch)
        self.assertEqual(launch.code, 0, launch.stderr)
        self.assertEqual(launch.stderr.count("saving, as asked by SIGUSR1"), 1, launch.stderr)
        self.assert_same_results(self.run_ok(config, "expected"), self.folder / "out")

    def test_to_save_during_a_test(self):
        config = self.write_config(SLOW_TESTS)
        expected = self.run_ok(config, "expected")
        for seconds in (0, 0.15):
            with self.subTest(seconds):
                out = f"out{seconds}"
                launch = self.start(2, "run", config, "--out", out)
                self.assertTrue(launch.await_that(lambda: self.rows(out) > 1))
                launch.all_pids()
                time.sleep(seconds)
                launch.mpirun.send_signal(signal.SIGUSR1)
                self.await_end(launch)
                self.assertEqual(launch.code, 0, launch.stderr)
                self.assertEqual(launch.stderr.count("saving, as asked by SIGUSR1"), 1, launch.stderr)
                self.assert_same_results(expected, self.folder / out)

    def test_to_end(self):
        config = self.write_config(TRAINING)
        for name in ("SIGINT", "SIGTERM"):
            with self.subTest(name):
                out = f"it's ended by {name}"
                launch = self.start(RANKS, "run", config, "--out", out, "--quiet")
                self.assertTrue(launch.await_that(lambda: self.rows(out) > 9))
                launch.all_pids()
                launch.mpirun.send_signal(getattr(signal, name))
                self.assert_ended(launch, time.monotonic())
                command = shlex.split(self.last_words(launch).partition("go on with: ")[2])
                self.assertEqual(command, ["mpirun", "-np", "3", "sparsepush", "resume", out])
                self.assert_same_as_undisturbed(out, RANKS)


class Failing(FailuresTest):
    def test_by_divergence_of_a_node_of_the_last_rank(self):
        problem = quadratic(8, (700, 31, 1500))
        problem["curvature"][7] *= 1e4
        self.write("problem.safetensors", problem)
        config = self.write_config(TRAINING | {"algorithm": {"name": "none"}})
        alone = self.command("run", config, "--out", "alone", "--quiet")
        self.assertEqual(alone.returncode, 1, alone.stderr)
        self.assertIn("node 7", alone.stderr)
        done = self.launch(RANKS, "run", config, "--out", "out", "--quiet")
        self.assertEqual(done.code, 1, done.stderr)
        self.assertEqual(self.own_lines(done), alone.stderr.splitlines())
        summaries = [json.loads((self.folder / out / "summary.json").read_text()) for out in ("alone", "out")]
        self.assertEqual(summaries[1]["status"], "diverged")
        self.assertEqual(*(summary | {"seconds": 0, "device": ""} for summary in summaries))
        self.assert_same_results(self.folder / "alone", self.folder / "out")

    def test_by_a_full_disk(self):
        config = self.write_config(TRAINING)
        launch = self.start(RANKS, "run", config, "--out", "out", "--quiet")
        self.assertTrue(launch.await_that(lambda: self.checkpoint().exists() and self.saved_step() > 0))
        size = self.checkpoint().stat().st_size // 2
        resource.prlimit(launch.all_pids()[0], resource.RLIMIT_FSIZE, (size, size))
        self.assert_ended(launch, time.monotonic())
        self.assertEqual(launch.code, 1)
        (line,) = self.own_lines(launch)
        self.assertRegex(line, r"^sparsepush: .*checkpoint\.safetensors.*: ")
        summary = json.loads((self.folder / "out" / "summary.json").read_text())
        self.assertEqual(summary["status"], "failed")
        self.assertGreater(self.saved_step(), 0)
        self.assertEqual([path.name for path in (self.folder / "out").iterdir() if "tmp" in path.name], [])

    def test_by_memory_that_one_process_lacks(self):
        self.write("problem.safetensors", quadratic(8, (200000,)))  # whose sums take megabytes
        config = self.write_config(TRAINING | {"evaluate": {"every_steps": 1}})
        for rank in (0, 1, 2):
            with self.subTest(rank):
                out = f"out{rank}"
                returning = self.per_rank({rank: "export MALLOC_MMAP_THRESHOLD_=100000"})  # what is freed to the system
                launch = self.start(RANKS, "run", config, "--out", out, "--quiet", program=returning)
                self.assertTrue(launch.await_that(lambda: self.rows(out) > 5))
                pid = launch.all_pids()[rank]
                limit = min(address_space(pid) for _ in range(200)) + 500_000  # MPI still gets what it wants
                resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
                self.assert_ended(launch, time.monotonic())
                by = f"process {rank} of {RANKS}, on .*: " if rank > 0 else ""
                (line,) = self.own_lines(launch)
                self.assertRegex(line, f"^sparsepush: {by}out of memory$")
                self.assertEqual(launch.code, 1)
                summary = json.loads((self.folder / out / "summary.json").read_text())
                self.assertEqual(summary["status"], "failed")


if __name__ == "__main__":
    main()
