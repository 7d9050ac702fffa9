"""Asking the program for what it has to refuse in one line."""

from program import ProgramTest, quadratic

SIZES = (3, 40)
EXPERIMENT = {
    "run": {"nodes": 4, "steps": 10},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "evaluate": {"every_steps": 5},
}


class ErrorsTest(ProgramTest):
    """A test with the configuration of a small problem, `self.config`."""

    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(4, SIZES))
        self.config = self.write_config(EXPERIMENT)

    def assert_one_line(self, done, code, words):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        self.assertNotIn("terminate called", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def assert_refused(self, *words, arguments=(), config=None):
        """Exit code 2, one line that has all `words`, and nothing written."""
        done = self.command("run", config or self.config, "--out", "refused", *arguments)
        self.assert_one_line(done, 2, words)
        self.assertFalse((self.folder / "refused" / "checkpoint.safetensors").exists())

    def assert_setting_refused(self, setting, *words):
        with self.subTest(setting):
            self.assert_refused(*words, arguments=["--set", setting])
