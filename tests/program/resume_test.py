"""Interrupted runs that are resumed end with the same bytes as runs that were left alone."""

import random
import shutil
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
    "evaluate": {"every_steps": 1, "nodes": 1, "samples": 20},
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
        self.assertIn("run.steps is 150, and 100 in ", done.stderr)
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
        self.assertIn("sparsepush resume ", output)
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


class AskedToSave(ResumeTest):
    def test_saves_at_once_and_goes_on(self):
        sections = TRAINING | {"run": TRAINING["run"] | {"checkpoint_steps": 10**6}}
        config = self.write_config(sections)
        run = self.start(config, "out")
        checkpoint = self.folder / "out" / "checkpoint.safetensors"
        metrics = self.folder / "out" / "metrics.csv"
        while run.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 3):
            time.sleep(0.002)
        saved_step = lambda: read_safetensors(checkpoint)[0]["step"][0]
        self.assertEqual(saved_step(), 0)
        run.send_signal(signal.SIGUSR1)
        while run.poll() is None and saved_step() == 0:
            time.sleep(0.002)
        self.assertLess(saved_step(), TRAINING["run"]["steps"])
        run.send_signal(signal.SIGKILL)
        output, _ = run.communicate(timeout=60)
        self.assertIn("SIGUSR1", output)
        self.assert_same_results(self.run_ok(config, "expected"), self.run_ok(config, "out", "--resume"))


class FromTheFolderAlone(ResumeTest):
    """`sparsepush resume FOLDER`."""

    def stop(self, out, *arguments):
        """Interrupts a run whose configuration and files are then gone; the command that it printed."""
        self.write("edges.csv", "round,source,target\n" + "".join(f"0,{i},{(i + 1) % 8}\n" for i in range(8)))
        sections = TRAINING | {"topology": {"name": "file", "file": "edges.csv"}}
        config = self.write_config(sections)
        expected = self.run_ok(config, "expected", "--set", "run.steps=2000", "--set", "optimizer.lr=0.05")
        run = self.start(config, out, "--quiet", "--set", "run.steps=2000", "--set", "optimizer.lr=0.05", *arguments)
        while run.poll() is None and not (self.folder / out / "metrics.csv").exists():
            time.sleep(0.002)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 1, output)
        for name in (config.name, "edges.csv", "problem.safetensors"):
            (self.folder / name).unlink()
        return expected, output.split("go on with: sparsepush ")[1].strip()

    def test_the_printed_command_goes_on_with_what_was_set(self):
        for out in ("out", "it's a run $HOME"):
            with self.subTest(out):
                self.write("problem.safetensors", quadratic(8, (700, 31, 1500)))
                expected, command = self.stop(out)
                subprocess.run(f"'{self.program}' {command} --quiet", shell=True, cwd="/", check=True)
                self.assert_same_results(expected, self.folder / out)
                shutil.rmtree(expected)

    def test_the_folder_may_be_moved_and_the_run_lengthened(self):
        self.stop("out")
        (self.folder / "out").rename(self.folder / "elsewhere")
        done = self.command("resume", "elsewhere", "--set", "run.steps=2100", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(read_metrics(self.folder / "elsewhere")[-1]["step"], "2100")
        self.assertEqual(self.command("resume", "elsewhere", "--quiet").returncode, 0)  # finished

    def test_files_of_the_same_name_are_both_kept(self):
        (self.folder / "a").mkdir()
        (self.folder / "problem.safetensors").rename(self.folder / "a" / "input")
        self.write("input", "round,source,target\n" + "".join(f"0,{i},{(i + 1) % 8}\n" for i in range(8)))
        out = self.run_ok(self.write_config(TRAINING | {
            "run": {"nodes": 8, "steps": 5}, "data": {"name": "quadratic", "file": "a/input"},
            "topology": {"name": "file", "file": "input"}}), "out")
        done = self.command("resume", out, "--set", "run.steps=9", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_files_that_do_not_count_are_kept_too(self):
        self.write("edges.csv", "round,source,target\n" + "".join(f"0,{i},{(i + 1) % 8}\n" for i in range(8)))
        sections = TRAINING | {"run": {"nodes": 8, "steps": 5}, "algorithm": {"name": "all_reduce"},
                               "topology": {"name": "file", "file": "edges.csv"}}
        out = self.run_ok(self.write_config(sections), "out")
        (self.folder / "edges.csv").unlink()
        done = self.command("resume", out, "--set", "run.steps=9", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_is_no_run_is_refused(self):
        for folder in ("nowhere", "problem.safetensors", "."):
            done = self.command("resume", folder)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("config.toml", done.stderr)


class AnotherConfiguration(ResumeTest):
    def refusal(self, config, out, *arguments):
        done = self.command("run", config, "--out", out, "--resume", *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    def test_the_keys_that_differ_are_named_with_both_values(self):
        config = self.write_config(TRAINING)
        out = self.run_ok(config, "out", "--set", "run.steps=5")
        for key, there, here in (("optimizer.lr", "0.1", "0.01"), ("evaluate.every_steps", "50", "7"),
                                 ("topology.degree", "3", "2"), ("algorithm.name", '"sparse_push"', '"scsp"'),
                                 ("optimizer.milestones", "[]", "[5]")):
            if key == "optimizer.milestones":  # which quadratic problems do not have
                config = self.write_config(DIGITS | {"optimizer": {}})
                out = self.run_ok(config, "digits", "--set", "run.epochs=1")
            with self.subTest(key):
                words = self.refusal(config, out, "--set", f"{key}={here}")
                self.assertIn(f"{key} is {here}, and {there} in {out}/config.toml", words)
                self.assertEqual(words.count(" is "), 1)
        words = self.refusal(config, out, "--set", "run.seed=3", "--set", "data.batch=4")
        self.assertRegex(words, r"run.seed is 3, and 1 in .*; data.batch is 4, and 8 in ")

    def test_a_file_of_another_content_is_named(self):
        config = self.write_config(TRAINING)
        out = self.run_ok(config, "out", "--set", "run.steps=5")
        self.write("problem.safetensors", quadratic(8, (700, 31, 1500), seed=4))
        self.assertIn("the file of data.file has another content", self.refusal(config, out))


if __name__ == "__main__":
    main()
