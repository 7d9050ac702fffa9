"""scripts/same_results.py: a build equals itself, and whatever another one does differently is found and named."""

import subprocess
import sys
from pathlib import Path

from program import ProgramTest, main

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "same_results.py"
OTHER_SEED = '[ "$1" = run ] && set -- "$@" --set run.seed=7\nexec {program} "$@"\n'
OTHER_EXIT_CODE = '{program} "$@" || exit 3\n'
OTHER_WORDS = "{program} \"$@\" | sed 's/steps/strides/'\nexit \"${{PIPESTATUS[0]}}\"\n"
LOST_FILE = '{program} "$@"; code=$?\nrm -f out/partition.csv\nexit $code\n'


class SameResultsTest(ProgramTest):
    def build(self, name, script="exec {program} \"$@\"\n"):
        """A folder with a program that does what `script` says."""
        folder = self.folder / name
        folder.mkdir()
        program = folder / "sparsepush"
        program.write_text("#!/bin/bash\n" + script.format(program=f"'{self.program}'"))
        program.chmod(0o755)
        return folder

    def compare(self, other, *arguments):
        """The exit code of a comparison with the program `other`, and what it prints."""
        builds = [self.build("before"), self.build("after", other) if other else self.build("after")]
        command = [sys.executable, SCRIPT, *builds, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout

    def assert_found(self, other, words, *arguments):
        code, report = self.compare(other, *arguments)
        self.assertEqual(code, 1, report)
        for word in words:
            self.assertIn(word, report)

    def test_a_build_equals_itself(self):
        code, report = self.compare(None, "--only", "layer", "rounds_sgp", "set run.nodes=0", "short checkpoint")
        self.assertEqual(code, 0, report)
        self.assertIn("4 cases compared, 0 differ", report)

    def test_other_results_are_found_and_the_first_tensor_is_named(self):
        words = ["layer (cpu): ", "tensor u: first that differs, 6 of 6 elements", "metadata config_hash", "1 differ"]
        self.assert_found(OTHER_SEED, words, "--only", "layer")

    def test_another_exit_code_is_found(self):
        self.assert_found(OTHER_EXIT_CODE, ["- exit code 2", "+ exit code 3"], "--only", "set run.nodes=0", "edges")

    def test_a_lost_file_is_found(self):
        self.assert_found(LOST_FILE, ["out/partition.csv: only BEFORE"], "--only", "layer")

    def test_words_that_changed_on_purpose_are_allowed_and_printed(self):
        for arguments, code in (((), 1), (("--allow", "(steps|strides)"), 0), (("--allow", "steps"), 1)):
            with self.subTest(arguments):
                self.setUp()
                found, report = self.compare(OTHER_WORDS, "--only", "edges", *arguments)
                self.assertEqual(found, code, report)
                self.assertIn("strides" if code else "allowed, --allow (steps|strides): ", report)

    def test_a_case_that_does_not_run_is_no_success(self):
        code, report = self.compare(None, "--only", "vgg12")
        self.assertNotEqual(code, 0, report)


if __name__ == "__main__":
    main()
