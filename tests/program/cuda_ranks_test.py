"""Processes whose shards are on GPUs, which they may share: the bytes of one process on the CPU. On a machine with a GPU for
each, also from GPU to GPU through NCCL; the simulated one has three, and a stand-in for NCCL."""

from pathlib import Path

from launched import LaunchedTest
from program import main, quadratic, read_safetensors

QUADRATIC = {
    "run": {"nodes": 5, "steps": 6, "replicas": 2},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.1, "final_rounds": 2},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 3},
}
DIGITS = {
    "run": {"nodes": 5, "steps": 6, "checkpoint_steps": 2},
    "data": {"name": "digits", "partition": "skew", "skew": 0.5, "batch": 2},
    "model": {"name": "mlp", "hidden": [5]},
    "topology": {"name": "random_out", "degree": 2, "redraw": True},
    "algorithm": {"name": "scsp", "keep": 0.05, "final_rounds": 3},
    "evaluate": {"every_steps": 3, "samples": 40},
}
REFUSAL = 'run.transport: "nccl" wants a GPU for each process'
SIMULATED_GPUS = 3


class CudaLaunchedTest(LaunchedTest):
    timeout = 90  # a GPU's driver begins slowly

    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(5, (1, 30, 66, 5)))
        self.config = self.write_config(QUADRATIC)
        self.is_simulated = Path(self.program).name.endswith("_simulated")
        if "built without CUDA" in self.command("--version").stdout:
            self.skipTest("this program was built without CUDA")
        if self.command("run", self.config, "--backend", "cuda", "--out", "probe").returncode == 2:
            self.skipTest("no CUDA GPU")

    def on_gpus(self, ranks, config, out, transport, *arguments):
        """The folder of a run of processes on GPUs; skips where NCCL is asked for and has not a GPU for each."""
        words = ["run", config, "--backend", "cuda", "--out", out, "--quiet", *arguments]
        done = self.launch(ranks, *words, "--set", f'run.transport="{transport}"')
        if transport == "nccl" and done.code == 2 and REFUSAL in done.stderr and not self.is_simulated:
            self.skipTest(f"here are not {ranks} GPUs with NCCL")
        self.assertEqual((done.code, done.stderr), (0, ""))
        self.assertIn('"backend": "cuda"', (self.folder / out / "summary.json").read_text())
        return self.folder / out


class SharingGpus(CudaLaunchedTest):
    def compare(self, config):
        expected = self.run_ok(config, f"cpu_{Path(config).stem}", "--backend", "cpu")
        for ranks in (2, SIMULATED_GPUS + 1):
            self.assert_same_results(expected, self.on_gpus(ranks, config, f"{expected.name}_{ranks}", "mpi"))

    def test_processes_share_a_gpu(self):
        self.compare(self.config)

    def test_dense_messages_and_means(self):
        for name in ("sgp", "all_reduce", "fda"):
            keys = {"name": name} | ({"threshold": 20.0} if name == "fda" else {})
            with self.subTest(name):
                self.compare(self.write_config(QUADRATIC | {"algorithm": keys}, f"{name}.toml"))

    def test_they_go_on_in_one_process_on_the_cpu(self):
        config = self.write_config(QUADRATIC | {"algorithm": {"name": "sparse_push", "keep": 0.1}}, "longer.toml")
        expected = self.run_ok(config, "expected", "--backend", "cpu")
        self.launch_ok(2, config, "out", "--backend", "cuda", "--set", "run.steps=3")
        self.assert_same_results(expected, self.run_ok(config, "out", "--backend", "cpu", "--resume"))

    def test_nccl_wants_a_gpu_for_each(self):
        ranks = SIMULATED_GPUS + 1
        done = self.launch(ranks, "run", self.config, "--backend", "cuda", "--out", "nccl", "--set",
                           'run.transport="nccl"')
        if done.code == 0:  # where there are so many GPUs
            self.assert_same_results(self.run_ok(self.config, "alone", "--backend", "cpu"), self.folder / "nccl")
            return
        self.assertEqual(done.code, 2)
        self.assertIn(REFUSAL, "\n".join(self.own_lines(done)))


class FromGpuToGpu(CudaLaunchedTest):
    def setUp(self):
        super().setUp()
        if not self.is_simulated:
            self.on_gpus(2, self.config, "probe_of_nccl", "nccl")

    def sockets(self, launch):
        """Whether the stand-in for NCCL has connected the processes: its sockets have the first one's number."""
        name = f"@sparsepush, simulated {launch.pids.get(0)} "
        return name in Path("/proc/net/unix").read_text()

    def test_has_the_files_of_one_process_and_of_mpi(self):
        for name, experiment in (("quadratic", QUADRATIC), ("digits", DIGITS)):
            config = self.write_config(experiment, f"{name}.toml")
            alone = self.run_ok(config, f"{name}_alone", "--backend", "cuda")
            self.assert_same_files(alone, self.on_gpus(2, config, f"{name}_mpi", "mpi"))
            for ranks in (2, 3):
                with self.subTest(name, ranks=ranks):
                    self.assert_same_files(alone, self.on_gpus(ranks, config, f"{name}_{ranks}", "nccl"))

    def test_of_dense_messages_means_and_rounds_that_nodes_decide_on(self):
        for name, ranks, keys in (("sgp", 3, {}), ("choco", 3, {"keep": 0.1}), ("all_reduce", 2, {}),
                                  ("fda", 3, {"threshold": 20.0}), ("shared_block", 2, {"blocks": 4}), ("d2", 2, {})):
            with self.subTest(name):
                topology = QUADRATIC["topology"] | {"redraw": name != "choco"} if name != "d2" else {"name": "ring"}
                experiment = QUADRATIC | {"topology": topology, "algorithm": {"name": name} | keys}
                config = self.write_config(experiment, f"{name}.toml")
                expected = self.run_ok(config, f"{name}_cpu", "--backend", "cpu")
                self.assert_same_results(expected, self.on_gpus(ranks, config, f"{name}_{ranks}", "nccl"))

    def test_goes_on_with_another_number_of_processes_and_another_transport(self):
        config = self.write_config(DIGITS | {"algorithm": {"name": "sparse_push", "keep": 0.05}})
        alone = self.run_ok(config, "alone", "--backend", "cuda")
        self.on_gpus(3, config, "out", "nccl", "--set", "run.steps=2")
        self.assertEqual(read_safetensors(self.folder / "out" / "checkpoint.safetensors")[0]["step"][0], 2)
        self.on_gpus(2, config, "out", "nccl", "--resume", "--set", "run.steps=4")
        self.assert_same_files(alone, self.on_gpus(3, config, "out", "mpi", "--resume"))
        self.on_gpus(2, config, "other", "mpi", "--set", "run.steps=4")
        self.assert_same_files(alone, self.on_gpus(2, config, "other", "nccl", "--resume"))

    def test_is_what_auto_takes_where_each_has_a_gpu(self):
        if not self.is_simulated:
            self.skipTest("nothing tells which way was taken")
        alone = self.run_ok(self.config, "alone", "--backend", "cuda")
        for ranks, transport, is_nccl in ((2, "auto", True), (SIMULATED_GPUS, "auto", True),
                                          (SIMULATED_GPUS + 1, "auto", False), (2, "mpi", False)):
            with self.subTest(transport, ranks=ranks):
                out = f"{transport}_{ranks}"
                launch = self.start(ranks, "run", self.config, "--backend", "cuda", "--out", out, "--quiet", "--set",
                                    f'run.transport="{transport}"')
                launch.all_pids()
                self.assertEqual(launch.await_that(lambda: self.sockets(launch)), is_nccl)
                self.await_end(launch)
                self.assertEqual((launch.code, launch.stderr), (0, ""))
                self.assert_same_files(alone, self.folder / out)


if __name__ == "__main__":
    main()
