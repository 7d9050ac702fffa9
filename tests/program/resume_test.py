"""Interrupted runs that are resumed end with the same bytes as runs that were left alone."""

import random
import signal
import subprocess
import time

from program import ProgramTest, main, quadratic, read_metrics, read_safetensors

TRAINING = {
    "run": {"nodes": 8, "steps": 3000, "checkpoint_steps": 70, "replicas": 2},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 3, "redraw": True},
    "algorithm": {"name": "sparse_push", "keep": 0.02, "averaging_rate": 0.01},
    "evaluate": {"every_steps": 50},
}
FINAL_ROUNDS = TRAINING | {
    "run": {"nodes": 8, "steps": 60, "checkpoint_steps": 70},
    "algorithm": {"name": "scsp", "keep": 0.02, "averaging_rate": 0.01, "final_rounds": 2500},
}
DIGITS = {
    "run": {"nodes": 5, "epochs": 4, "checkpoint_steps": 30},
    "data": {"name": "digits", "batch": 8},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "optimizer": {"milestones": [1, 3], "warmup_epochs": 1},
}
RESNET = {  # whose normalization has running statistics
    "run": {"nodes": 3, "steps": 6, "checkpoint_steps": 1},
    "data": {"name": "digits", "batch": 8, "augment": True},
    "model": {"name": "resnet20", "norm": "batch"},
    "algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 4},
    "evaluate": {"every_steps": 1, "nodes": 1},
}


class ResumeTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(8, (700, 31, 1500)))

    def start(self, config, out, *arguments):
        command = [self.program, "run", config, "--out", self.folder / out, *arguments]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill_and_resume(self, experiment, seed, kills=4):
        """Kills a run at random moments, resumes it each time, and compares with a run that was left alone."""
        config = self.write_config(experiment)
        begin = time.monotonic()
        expected = self.run_ok(config, "expected")
        duration = time.monotonic() - begin
        dice = random.Random(seed)
        for attempt in range(kills):
            run = self.start(config, "killed", "--quiet", *(["--resume"] if attempt else []))
            time.sleep(duration * dice.uniform(0.05, 0.6))
            run.kill()
            run.communicate()
        self.assert_same_results(expected, self.run_ok(config, "killed", "--resume"))


class Killed(ResumeTest):
    def test_while_training_on_a_quadratic_problem(self):
        self.kill_and_resume(TRAINING, seed=1)

    def test_while_training_on_digits(self):
        self.kill_and_resume(DIGITS, seed=2)

    def test_during_the_final_rounds(self):
        self.kill_and_resume(FINAL_ROUNDS, seed=3)

    def test_with_running_statistics(self):
        self.kill_and_resume(RESNET | {"run": RESNET["run"] | {"steps": 20}}, seed=4)

    def test_before_the_first_checkpoint(self):
        config = self.write_config(DIGITS)
        expected = self.run_ok(config, "expected")
        (self.folder / "killed").mkdir()
        header = (expected / "metrics.csv").read_text().splitlines()[0]
        (self.folder / "killed" / "metrics.csv").write_text(header + "\n0,0,0,0.1,,2.3")  # died in the middle of a line
        self.assert_same_results(expected, self.run_ok(config, "killed", "--resume"))


class Lengthened(ResumeTest):
    def test_a_finished_run_is_left_as_it_is(self):
        config = self.write_config(FINAL_ROUNDS)
        out = self.run_ok(config, "out", "--set", "algorithm.final_rounds=5")
        before = {name: (out / name).read_bytes() for name in ("checkpoint.safetensors", "metrics.csv", "summary.json")}
        self.run_ok(config, "out", "--resume", "--set", "algorithm.final_rounds=5")
        self.assertEqual(before, {name: (out / name).read_bytes() for name in before})

    def test_a_longer_run_continues_a_finished_one(self):
        config = self.write_config(TRAINING)
        for steps in (100, 150, 300):  # 100 and 150 are evaluations anyway, so the long run has the same rows
            out = self.run_ok(config, "out", "--resume", "--set", f"run.steps={steps}")
        self.assert_same_results(self.run_ok(config, "straight", "--set", "run.steps=300"), out)

    def test_more_epochs_continue_a_finished_run(self):
        config = self.write_config(DIGITS)
        out = self.run_ok(config, "out", "--set", "run.epochs=2")
        self.run_ok(config, "out", "--resume")
        self.assert_same_results(self.run_ok(config, "straight"), out)

    def test_a_run_whose_rates_fall_to_its_end_cannot_get_longer(self):
        config = self.write_config(TRAINING | {"optimizer": {"lr": 0.05, "schedule": "cosine", "lr_end": 0.01}})
        out = self.run_ok(config, "out", "--set", "run.steps=100")
        done = self.command("run", config, "--out", out, "--resume", "--set", "run.steps=150")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("configuration", done.stderr)
        self.run_ok(config, "out", "--resume", "--set", "run.steps=100")

    def test_running_statistics_go_on_as_they_were(self):
        config = self.write_config(RESNET | {"algorithm": {"name": "sparse_push", "keep": 0.05}})
        for steps in (2, 3, 6):
            out = self.run_ok(config, "out", "--resume", "--set", f"run.steps={steps}")
        self.assert_same_results(self.run_ok(config, "straight"), out)
        tensors, _ = read_safetensors(out / "checkpoint.safetensors")
        self.assertFalse((tensors["statistics"][0] == tensors["statistics"][1]).all())

    def test_more_final_rounds_merge_running_statistics_again(self):
        for final in ("average", "local"):
            with self.subTest(final):
                config = self.write_config(RESNET | {"algorithm": RESNET["algorithm"] | {"final_statistics": final}})
                self.run_ok(config, f"{final}_out", "--set", "algorithm.final_rounds=1")
                out = self.run_ok(config, f"{final}_out", "--resume")
                straight = self.run_ok(config, f"{final}_straight")
                self.assertEqual(*((folder / "checkpoint.safetensors").read_bytes() for folder in (out, straight)))

    def test_a_run_whose_final_rounds_have_begun_cannot_get_longer(self):
        config = self.write_config(FINAL_ROUNDS)
        out = self.run_ok(config, "out", "--set", "algorithm.final_rounds=5")
        before = (out / "checkpoint.safetensors").read_bytes()
        done = self.command("run", config, "--out", out, "--resume", "--set", "algorithm.final_rounds=5",
                            "--set", "run.steps=90")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("final", done.stderr)
        self.assertEqual((out / "checkpoint.safetensors").read_bytes(), before)


class Interrupted(ResumeTest):
    def interrupt_and_resume(self, experiment, after_rows, signal_number=signal.SIGINT):
        config = self.write_config(experiment)
        run = self.start(config, "out")
        metrics = self.folder / "out" / "metrics.csv"
        while run.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > after_rows):
            time.sleep(0.002)
        run.send_signal(signal_number)
        output, _ = run.communicate(timeout=60)
        self.assertGreaterEqual(run.returncode, 1, output)  # neither done nor killed
        self.assertIn("--resume", output)
        tensors, _ = read_safetensors(self.folder / "out" / "checkpoint.safetensors")
        total = experiment["run"]["steps"] + experiment["algorithm"].get("final_rounds", 0)
        self.assertTrue(0 < tensors["step"][0] < total)
        self.assertLessEqual(max(int(row["step"]) for row in read_metrics(self.folder / "out")), tensors["step"][0])
        self.assert_same_results(self.run_ok(config, "expected"), self.run_ok(config, "out", "--resume"))

    def test_while_training(self):
        self.interrupt_and_resume(TRAINING, after_rows=9)

    def test_during_the_final_rounds(self):
        self.interrupt_and_resume(FINAL_ROUNDS, after_rows=3)

    def test_by_the_end_of_a_batch_system(self):
        self.interrupt_and_resume(TRAINING, after_rows=9, signal_number=signal.SIGTERM)


if __name__ == "__main__":
    main()
