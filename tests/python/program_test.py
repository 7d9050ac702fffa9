"""Runs that are started from Python."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from reading import ROOT, ReaderTest, main

import sparsepush

CONFIG = {"run": {"nodes": 3, "steps": 8}, "model": {"hidden": [4]}, "evaluate": {"every_steps": 8}}


class Program(ReaderTest):
    def start(self, config, **options):
        return sparsepush.run(config, program=self.program, **options)

    def test_a_dict_and_a_file_give_the_same_run(self):
        from_dict = self.start(CONFIG, out=self.folder / "a")
        from_file = self.start(self.write_config(CONFIG), out=self.folder / "b")
        self.assertEqual((from_dict.status, from_dict.config), ("finished", from_file.config))
        self.assert_same_results(from_dict.path, from_file.path)

    def test_settings_win_over_the_configuration(self):
        settings = {"run.steps": 4, "algorithm.keep": np.float32(0.5), "optimizer.milestones": [2, np.int64(3)],
                    "data.partition": "skew", "data.skew": 1, "run.verify": np.bool_(True)}
        config = self.start(CONFIG, out=self.folder / "a", set=settings).config
        self.assertEqual((config["run"]["steps"], config["algorithm"]["keep"]), (4, 0.5))
        self.assertEqual(config["optimizer"]["milestones"], [2, 3])
        self.assertEqual((config["data"]["partition"], config["data"]["skew"]), ("skew", 1.0))
        self.assertIs(config["run"]["verify"], True)

    def test_texts_with_quotes_arrive_as_they_are(self):
        path = self.write('a "ä😀\\ ] = #\t.csv', "source,target\n0,1\n1,2\n2,0\n")
        run = self.start(CONFIG | {"topology": {"name": "file", "file": path}}, out=self.folder / "a")
        self.assertEqual((run.path / run.config["topology"]["file"]).read_text(), path.read_text())

    def test_a_path_has_the_programs_default_folder(self):
        code = f"import sparsepush; print(sparsepush.run({str(self.write_config(CONFIG))!r}).path)"
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "sparsepush").symlink_to(self.program)
        environment = os.environ | {"PYTHONPATH": str(ROOT / "python"), "PATH": f"{bin_folder}:{os.environ['PATH']}"}
        done = subprocess.run([sys.executable, "-c", code], cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("runs/experiment\n", ""))
        self.assertEqual(sparsepush.load(self.folder / "runs/experiment").status, "finished")

    def test_what_the_program_refuses_is_a_value_error_with_its_line(self):
        for config, settings, line in (
            ({"run": {"stepz": 8}}, {}, '--set run.stepz=8: unknown key "stepz"; did you mean "steps"?'),
            (CONFIG, {"rnu.steps": 1}, 'unknown section "rnu"; did you mean "run"?'),
            (CONFIG, {"data.skew": [0.5]}, "expected a number, got a list"),
            (self.folder / "none.toml", {}, "none.toml: cannot be opened"),
        ):
            with self.subTest(line), self.assertRaises(ValueError) as caught:
                self.start(config, out=self.folder / "a", set=settings)
            self.assertIn(line, str(caught.exception))
            self.assertEqual(str(caught.exception).count("\n"), 0)
        self.start(CONFIG, out=self.folder / "a")
        with self.assertRaisesRegex(ValueError, "a exists and is not empty"):
            self.start(CONFIG, out=self.folder / "a")

    def test_arguments_that_are_wrong(self):
        with self.assertRaisesRegex(ValueError, "out: "):
            self.start(CONFIG)
        with self.assertRaisesRegex(ValueError, 'section.*"steps"'):
            self.start({"steps": 3}, out=self.folder / "a")
        with self.assertRaisesRegex(ValueError, "expected a bool, number"):
            self.start({"run": {"steps": {}}}, out=self.folder / "a")
        with self.assertRaises(FileNotFoundError):
            sparsepush.run(CONFIG, out=self.folder / "a", program=self.folder / "no program")

    def test_a_run_that_diverges_is_a_runtime_error_and_can_be_loaded(self):
        diverging = CONFIG | {"optimizer": {"lr": 1e6, "weight_decay": 1e3}, "run": {"nodes": 3, "steps": 60}}
        with self.assertRaisesRegex(RuntimeError, "diverged at step"):
            self.start(diverging, out=self.folder / "a")
        self.assertEqual(sparsepush.load(self.folder / "a").status, "diverged")

    def test_ctrl_c_stops_the_run_after_a_checkpoint(self):
        code = (f"import sparsepush\nsparsepush.run({CONFIG!r}, out='a', program={self.program!r}, "
                "set={'run.steps': 10**9, 'evaluate.every_steps': 10**9})")
        with subprocess.Popen([sys.executable, "-c", code], cwd=self.folder, stderr=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": str(ROOT / "python")}) as process:
            metrics = self.folder / "a/metrics.csv"
            self.wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > 1)
            self.assertEqual(sparsepush.load(self.folder / "a").status, "running")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        self.assertIn("KeyboardInterrupt", errors)
        run = sparsepush.load(self.folder / "a")
        self.assertEqual(run.status, "interrupted")
        self.assertEqual(run.state()["u"].shape, (3,))

    def wait_for(self, holds):
        deadline = time.monotonic() + 60
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


if __name__ == "__main__":
    main()
