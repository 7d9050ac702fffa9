"""What a run in several processes is refused for: one line, from whichever process, and none is left waiting."""

import signal

from launched import LaunchedTest
from program import main, quadratic

QUADRATIC = {
    "run": {"nodes": 7, "steps": 20},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 3},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 8},
}


class Refusals(LaunchedTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(7, (1, 30, 66, 5)))
        self.config = self.write_config(QUADRATIC)

    def assert_refused(self, ranks, *arguments, words, code=2, **options):
        """One line of ours, with these words, and no run."""
        before = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        done = self.launch(ranks, *arguments, **options)
        self.assertEqual(done.code, code, done.stderr)
        (line,) = self.own_lines(done)
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(done.stdout, "")
        after = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        self.assertEqual(sorted(after), sorted(before))
        self.assertEqual(after, before)
        return line

    def run_in(self, ranks, *arguments, words, out="out", **options):
        return self.assert_refused(ranks, "run", self.config, "--out", out, *arguments, words=words, **options)

    def test_of_a_number_of_shards_that_is_not_theirs(self):
        self.run_in(2, "--set", "run.shards=3", words=["run.shards: expected 2", "got 3"])

    def test_of_a_transport_within_a_process(self):
        self.run_in(2, "--set", 'run.transport="local"', words=["run.transport", "local", "has started 2"])

    def test_of_a_transport_between_processes_in_one(self):
        done = self.command("run", self.config, "--out", "out", "--set", 'run.transport="mpi"')
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r'^run.transport: "mpi" .*mpirun -np 4 sparsepush run .*\n$')

    def test_of_more_processes_than_nodes(self):
        self.run_in(8, words=["run.nodes: expected at least 8", "got 7"])

    def test_of_what_no_process_can_use(self):
        self.run_in(2, "--set", "algorithm.kep=3", words=['unknown key "kep"; did you mean "keep"?'])
        self.assert_refused(2, "run", "nothing.toml", words=["nothing.toml"])
        self.assert_refused(2, "resume", "nowhere", words=["nowhere/config.toml"])
        self.assert_refused(2, "table", self.config, words=["table: runs in one process"])

    def test_of_arguments(self):
        done = self.launch(2, "run", "--bogus")
        self.assertEqual((done.code, done.stdout), (2, ""))
        alone = self.command("run", "--bogus")
        self.assertEqual(self.own_lines(done), alone.stderr.splitlines())

    def test_of_another_value_in_a_process(self):
        for key, here, there in (("optimizer.lr", "0.05", "0.3"), ("run.seed", "1", "2"), ("run.steps", "20", "30"),
                                 ("run.checkpoint_steps", "0", "5"), ("topology.redraw", "false", "true"),
                                 ("algorithm.name", '"sparse_push"', '"scsp"')):
            with self.subTest(key):
                rank = 2 if key == "run.seed" else 1
                program = self.per_rank({rank: f"""set -- "$@" --set '{key}={there}'"""})
                self.run_in(3, program=program, words=[f"process {rank} of 3, on ",
                                                       f", has {key} = {there}, process 0 has {key} = {here}"])

    def test_not_of_where_files_are_and_of_what_changes_no_result(self):
        (self.folder / "elsewhere").mkdir()
        self.write("elsewhere/problem.safetensors", quadratic(7, (1, 30, 66, 5)))
        program = self.per_rank({1: 'set -- "$@" --set data.file=elsewhere/problem.safetensors --set run.threads=2'})
        out = self.launch_ok(3, self.config, "out", program=program)
        self.assert_same_results(self.run_ok(self.config, "alone"), out)

    def test_of_other_data_in_a_process(self):
        (self.folder / "elsewhere").mkdir()
        self.write("elsewhere/problem.safetensors", quadratic(7, (1, 30, 66, 5), seed=4))
        program = self.per_rank({1: 'set -- "$@" --set data.file=elsewhere/problem.safetensors'})
        self.run_in(3, words=["process 1 of 3, on ", ", has data.file of content "], program=program)

    def test_of_a_file_that_one_process_cannot_read(self):
        for rank in (0, 2):
            with self.subTest(rank):
                program = self.per_rank({rank: 'set -- "$@" --set data.file=missing.safetensors'})
                line = self.run_in(3, words=["missing.safetensors"], program=program)
                self.assertEqual("process 2 of 3, on " in line, rank == 2)

    def test_of_memory_that_one_process_lacks(self):
        settings = ["--set", "run.replicas=10000", "--set", "run.steps=1"]
        self.run_in(3, *settings, program=self.per_rank({1: "ulimit -v 600000"}),
                    words=["process 1 of 3, on ", "the run needs ", " of memory"])

    def test_of_a_folder_that_has_a_run(self):
        self.run_ok(self.config, "out")
        self.run_in(3, words=["out exists and is not empty: pass --resume"])

    def test_of_a_checkpoint_of_another_configuration(self):
        out = self.run_ok(self.config, "out", "--set", "run.steps=8")
        self.run_in(3, "--resume", "--set", "optimizer.lr=0.2",
                    words=["optimizer.lr is 0.2, and 0.05 in out/config.toml"])
        path = out / "checkpoint.safetensors"
        path.write_bytes(path.read_bytes()[:-40])
        self.run_in(3, "--resume", words=["checkpoint.safetensors"])

    def test_of_a_start_that_does_not_fit(self):
        self.run_in(3, "--set", "run.start=problem.safetensors", words=["problem.safetensors"])

    def test_of_a_folder_in_use(self):
        first = self.start(2, "run", self.config, "--out", "out", "--set", "run.steps=1000000")
        self.assertTrue(first.await_that(lambda: (self.folder / "out" / "checkpoint.safetensors").exists()))
        done = self.launch(2, "run", self.config, "--out", "out", "--resume")
        self.assertEqual(done.code, 2, done.stderr)
        self.assertEqual(self.own_lines(done), ["out is in use by another run"])
        first.all_pids()
        first.mpirun.send_signal(signal.SIGTERM)
        first.output(self.timeout)
        self.assertEqual(first.left(), [])


if __name__ == "__main__":
    main()
