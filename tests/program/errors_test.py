"""What comes in from outside, but for files, the program answers with one clear line and the right exit code."""

import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import numpy as np

from program import main, quadratic, read_metrics, read_safetensors, safetensors_bytes
from refused import EXPERIMENT, SIZES, ErrorsTest


class CommandLine(ErrorsTest):
    def test_version_names_program_and_backends(self):
        done = self.command("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"sparsepush \d+\.\d+\.\d+")
        self.assertIn("cpu", done.stdout.lower())

    def test_wrong_command_lines_exit_with_2(self):
        wrong = [[], ["fly"], ["run"], ["run", "no.toml"], ["plan", "no.toml"], ["topology", self.folder]]
        wrong += [["keys", "run.nodes"], ["methods", "--html"]]
        for arguments in wrong + [["run", self.config, "--frobnicate"], ["run", self.config, "--set", "nonsense"]]:
            with self.subTest(arguments):
                done = self.command(*arguments)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertTrue(done.stderr.strip())
                self.assertNotIn("terminate called", done.stderr)

    def test_an_unknown_key_is_named_with_file_line_and_the_nearest_known_key(self):
        path = self.write("typo.toml", "[run]\nnodes = 4\n[algorithm]\nkep = 0.1\n")
        self.assert_refused("typo.toml:4", "kep", "keep", config=path)

    def test_toml_that_does_not_parse_is_one_line_with_the_line_number(self):
        self.assert_refused("broken.toml:2", config=self.write("broken.toml", "[run]\nnodes = = 4\n"))
        self.assert_refused(config=self.write("binary.toml", bytes(range(256))))

    def test_wrong_types_and_values_name_the_key(self):
        settings = """
            run.nodes=many run.nodes=0 run.nodes=-3 run.steps=1.5 run.replicas=0 run.threads=-1 run.shards=0
            run.shards=5 run.backend=tpu data.name=imagenet topology.name=moebius topology.weights=heavy
            optimizer.kind=sgd optimizer.lr=nan algorithm.name=gossip algorithm.scope=tensor algorithm.keep=0
            algorithm.local_steps=0 algorithm.keep=1.5 algorithm.keep=nan
            algorithm.averaging_rate=0 algorithm.averaging_rate=2
        """
        for setting in settings.split():
            self.assert_setting_refused(setting, setting.split("=")[0].split(".")[1])

    def test_tf32_without_tensor_cores_is_refused(self):
        words = ["run.precision", "tensor cores", "run.backend", '"auto"']
        images = self.write_config({"data": {"name": "digits"}, "model": {"name": "resnet20"}}, "images.toml")
        for command in ("run", "plan"):
            arguments = [command, images, "--backend", "cpu", "--set", "run.precision=tf32"]
            self.assert_one_line(self.command(*arguments), 2, words)
        self.assert_setting_refused("run.precision=fp32", "model.name")

    def test_cudnn_without_a_gpu_is_refused(self):
        for model in ("lenet5", "resnet20", "vgg11"):
            images = self.write_config({"data": {"name": "mnist", "path": "."}, "model": {"name": model}}, "images.toml")
            for command in ("run", "plan"):
                arguments = [command, images, "--backend", "cpu", "--set", "run.convolution=cudnn"]
                self.assert_one_line(self.command(*arguments), 2, ["run.convolution", "on a GPU", "run.backend", '"own"'])
        self.assert_setting_refused("run.convolution=cudnn", "model.name")

    def test_keys_that_the_method_does_not_use_are_refused(self):
        self.assert_refused("keep", arguments=["--set", "algorithm.name=sgp", "--set", "algorithm.keep=0.1"])
        self.assert_setting_refused("algorithm.final_rounds=3", "final_rounds")
        self.assert_setting_refused("optimizer.milestones=[1]", "milestones")
        self.assert_setting_refused("run.steps=0", "steps")

    def test_a_weight_that_vanishes_at_a_later_averaging_rate_is_found_before_the_run(self):
        tiny = 3.5e-8  # half a unit of the grid at a rate of 1, less at 0.75
        self.write("edges.csv", f"round,source,target,weight\n0,0,1,{tiny}\n0,1,0,0.5\n")
        config = self.write_config({"run": {"nodes": 2, "steps": 1}, "topology": {"name": "file", "file": "edges.csv"},
                                    "algorithm": {"name": "sgp"}, "optimizer": {"milestones": [3]}}, "tiny.toml")
        self.assertEqual(self.command("plan", config).returncode, 0)
        refused = self.command("plan", config, "--set", "algorithm.averaging_decay=[0.75]")
        self.assert_one_line(refused, 2, ["weight", "0.75"])

    def test_an_output_folder_in_use_is_left_as_it_is(self):
        out = self.folder / "precious"
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
        self.assert_one_line(self.command("run", self.config, "--out", out), 2, ["precious"])
        self.assertEqual([(p.name, p.read_text()) for p in out.iterdir()], [("thesis.txt", "years of work")])
        self.assert_one_line(self.command("run", self.config, "--out", self.config), 2, ["experiment.toml"])

    def test_a_model_too_large_for_memory_names_the_arrays_that_plan_prints(self):
        large = self.write_config({"run": {"nodes": 1400}, "model": {"hidden": [1000000]}}, "large.toml")
        done = self.command("run", large, "--out", "large")
        self.assertEqual(done.returncode, 2, done.stderr)
        plan = self.command("plan", large)
        self.assertEqual(plan.returncode, 2, plan.stderr)  # but it shows what is too large
        for array in ("x", "momentum", "error", "gradient"):
            self.assertRegex(done.stderr, rf"\b{array}\b")
            self.assertRegex(plan.stdout, rf"\b{array}\b")
        self.assertFalse((self.folder / "large" / "checkpoint.safetensors").exists())


    def test_a_plan_of_the_longest_run_does_not_overflow(self):
        plan = self.command("plan", self.write_config({"run": {"nodes": 1000, "steps": 10**12}}, "long.toml"),
                            "--set", "topology.name=complete", "--set", "algorithm.name=sgp")
        self.assertEqual(plan.returncode, 0, plan.stderr)
        self.assertIn(f"messages a replica: {999 * 10**15}\n", plan.stdout)
        self.assertIn("19224.8 EB", plan.stdout)  # 4 * 4810 + 4 bytes each

    def test_a_state_beyond_64_bits_does_not_fit(self):
        vast = self.write_config({"run": {"nodes": 10**6, "replicas": 2000}, "model": {"hidden": [10**6, 2000]}})
        self.assert_refused("memory", "x [2000000000, ", arguments=["--set", "algorithm.name=none"], config=vast)

    def test_data_too_large_for_memory_is_refused_before_it_is_made(self):
        vast = self.write_config({"data": {"name": "synthetic", "samples": 10**9, "features": 10**6}})
        self.assert_refused("memory", "data set, as read [1000000000, 1000000]", config=vast)

    def test_topologies_too_large_for_memory_are_refused_before_they_are_made(self):
        many = self.write_config({"run": {"nodes": 200000, "replicas": 10000},
                                  "topology": {"name": "random_out", "degree": 600}})
        self.assert_refused("memory", "topologies", config=many)


class StandardStreams(ErrorsTest):
    def test_closed_ones_do_not_mix_progress_into_the_files(self):
        expected = self.run_ok(self.config, "expected")
        for closed in ([2], [1, 2], [0, 1, 2]):
            with self.subTest(closed):
                out = self.folder / f"closed{len(closed)}"
                done = self.command("run", self.config, "--out", out,
                                    preexec_fn=lambda: [os.close(fd) for fd in closed])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_same_results(expected, out)
                self.assertEqual((out / ".lock").read_text(), "")
                self.assertNotIn("loss", (out / "timing.csv").read_text())

    def test_an_error_output_that_takes_nothing_does_not_end_a_run(self):
        expected = self.run_ok(self.config, "expected")
        with open("/dev/full", "w") as full:
            done = subprocess.run([self.program, "run", self.config, "--out", "full"], cwd=self.folder, stderr=full)
            self.assertEqual(done.returncode, 0)
            done = subprocess.run([self.program, "run", "no.toml"], cwd=self.folder, stderr=full)
            self.assertEqual(done.returncode, 2)
        self.assert_same_results(expected, self.folder / "full")
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([self.program, "run", self.config, "--out", "broken"], cwd=self.folder, stderr=write)
        os.close(write)
        self.assertEqual(done.returncode, 0)
        self.assert_same_results(expected, self.folder / "broken")

    def test_the_library_knows_neither_them_nor_signals(self):
        forbidden = re.compile(
            r"\bstd::(cout|cerr|clog|cin|signal)\b|\b(stdin|stdout|stderr)\b|STD(IN|OUT|ERR)_FILENO|\bfmt::print\b"
            r"|\bv?f?printf *\(|\b(puts|putchar|perror|signal|sigaction)\b *\(|<(csignal|signal\.h|iostream)>"
            r'|"host/program/')
        root = Path(__file__).resolve().parents[2]
        sources = [path for room in ("data", "host", "kernels", "models") for path in (root / room).rglob("*.*")
                   if path.suffix in (".h", ".cpp", ".cu") and path.parent != root / "host/program"]
        self.assertGreater(len(sources), 100)
        found = {str(path.relative_to(root)): sorted({match.group() for match in forbidden.finditer(path.read_text())})
                 for path in sources}
        program = found.pop("host/main.cpp")
        self.assertIn("fmt::print", program)  # what is looked for is found where it is
        self.assertIn('"host/program/', program)
        self.assertEqual({name: words for name, words in found.items() if words}, {})

    def test_lost_output_is_an_error(self):
        for arguments in (["plan", self.config], ["topology", self.config], ["--version"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([self.program, *arguments], cwd=self.folder, stdout=full, stderr=subprocess.PIPE,
                                      text=True)
                self.assert_one_line(done, 1, ["standard output"])

    def test_control_characters_of_names_stay_on_one_line(self):
        self.assert_refused("typo", config=self.write("two\nlines\x1b[2J.toml", "[run]\ntypo = 4\n"))


class EveryCommand(ErrorsTest):
    """What `run` refuses, `plan` and `topology` refuse as well, before any data are made."""

    def assert_refused_by_all(self, sections, *words, commands=("run", "plan", "topology")):
        config = self.write_config(sections, "refused.toml")

        def limited():  # a set of the sizes below takes longer to make
            resource.setrlimit(resource.RLIMIT_CPU, (4, 4))

        for command in commands:
            with self.subTest(command):
                done = self.command(command, config, *(["--out", "refused"] if command == "run" else []), preexec_fn=limited)
                self.assert_one_line(done, 2, words)

    def test_weights_that_vanish(self):
        self.assert_refused_by_all({"algorithm": {"averaging_rate": 1e-42}}, "becomes 0 at averaging rate 1e-42")

    def test_a_method_on_a_topology_that_it_cannot_use(self):
        self.assert_refused_by_all({"algorithm": {"name": "d_psgd"}, "topology": {"name": "star"}}, "doubly stochastic")

    def test_a_problem_for_another_number_of_nodes(self):
        self.assert_refused_by_all(EXPERIMENT | {"run": {"nodes": 5, "steps": 1}}, "problem.safetensors")

    def test_a_missing_set(self):
        self.assert_refused_by_all({"data": {"name": "cifar10"}}, "data/cifar10")

    def test_nodes_without_samples_of_a_large_set(self):
        self.assert_refused_by_all({"run": {"nodes": 200}, "data": {"name": "synthetic", "samples": 200, "features": 100000},
                                    "model": {"name": "softmax"}}, "node 0 of 200 has no training samples")

    def test_arrays_that_do_not_fit(self):
        self.assert_refused_by_all({"run": {"nodes": 200000, "steps": 1}, "model": {"hidden": [1000]},
                                    "data": {"name": "synthetic", "samples": 200000, "features": 200}},
                                   "GB of memory", commands=("run", "plan"))


class FailingRuns(ErrorsTest):
    def test_a_damaged_or_foreign_checkpoint_is_refused_and_nothing_is_overwritten(self):
        original = self.run_ok(self.config, "original")
        good = (original / "checkpoint.safetensors").read_bytes()
        cases = {
            "empty": b"", "truncated": good[:-40], "half": good[: len(good) // 2], "longer": good + b"\0" * 8,
            "garbage": random.Random(2).randbytes(len(good)), "foreign": safetensors_bytes(quadratic(4, SIZES)),
        }
        for name, content in cases.items():
            with self.subTest(name):
                out = self.folder / name
                shutil.copytree(original, out)
                (out / "checkpoint.safetensors").write_bytes(content)
                before = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "log.txt"}
                done = self.command("run", self.config, "--out", out, "--resume", "--set", "run.steps=20")
                self.assert_one_line(done, 2, ["checkpoint.safetensors"])
                self.assertEqual(before, {name: (out / name).read_bytes() for name in before})

    def test_impossible_counts_of_a_checkpoint_are_refused(self):
        out = self.run_ok(self.config, "out")
        path = out / "checkpoint.safetensors"
        good, (tensors, _) = path.read_bytes(), read_safetensors(path)
        for name in ("train_loss_steps", "bytes_wire", "traffic"):
            for count in (-1, 2**63 - 1):
                with self.subTest(name=name, count=count):
                    begin = good.rindex(tensors[name].tobytes())
                    path.write_bytes(good[:begin] + struct.pack("<q", count) + good[begin + 8 :])
                    done = self.command("run", self.config, "--out", out, "--resume", "--set", "run.steps=20")
                    self.assert_one_line(done, 2, [name, str(count)])

    def test_lost_rows_of_metrics_are_noticed(self):
        out = self.run_ok(self.config, "out", "--set", "run.replicas=2")
        lines = (out / "metrics.csv").read_bytes().splitlines(keepends=True)
        cases = {"row": lines[:5], "torn": lines[:5] + [lines[5][:20]], "rows": lines[:1], "all": []}
        for name, content in cases.items():
            with self.subTest(name):
                (out / "metrics.csv").write_bytes(b"".join(content))
                before = {path.name: path.read_bytes() for path in out.iterdir()}
                done = self.command("run", self.config, "--out", out, "--resume", "--set", "run.steps=20",
                                    "--set", "run.replicas=2")
                self.assert_one_line(done, 2, ["metrics.csv", "step 10"])
                self.assertEqual(before, {path.name: path.read_bytes() for path in out.iterdir()})

    def test_a_checkpoint_of_another_configuration_is_refused(self):
        out = self.run_ok(self.config, "out")
        before = (out / "checkpoint.safetensors").read_bytes()
        for setting in ("optimizer.lr=0.2", "run.seed=7", "algorithm.keep=0.02", "topology.name=complete"):
            done = self.command("run", self.config, "--out", out, "--resume", "--set", setting, "--set", "run.steps=20")
            self.assert_one_line(done, 2, ["configuration"])
        self.assertEqual((out / "checkpoint.safetensors").read_bytes(), before)

    def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(self):
        self.write("problem.safetensors", quadratic(4, (5000,)))
        out = self.run_ok(self.config, "out")
        before = (out / "checkpoint.safetensors").read_bytes()

        def no_room_for_another_checkpoint():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

        done = self.command("run", self.config, "--out", out, "--resume", "--quiet", "--set", "run.steps=30",
                            preexec_fn=no_room_for_another_checkpoint)
        self.assert_one_line(done, 1, ["checkpoint.safetensors"])
        self.assertEqual((out / "checkpoint.safetensors").read_bytes(), before)
        self.assertEqual([path.name for path in out.iterdir() if "tmp" in path.name or "temporary" in path.name], [])
        self.run_ok(self.config, "out", "--resume", "--set", "run.steps=30")
        self.assert_same_results(out, self.run_ok(self.config, "straight", "--set", "run.steps=30"))

    def test_threads_that_cannot_be_started_end_the_run(self):
        config = self.write_config({"run": {"nodes": 600, "steps": 1}, "model": {"name": "softmax"}}, "many.toml")

        def huge_stacks():  # the address space holds less than 128
            resource.setrlimit(resource.RLIMIT_STACK, (2**40, resource.RLIM_INFINITY))

        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # its own threads could not be started either
        for setting in ("run.threads=600", "run.shards=600"):
            with self.subTest(setting):
                done = self.command("run", config, "--out", setting, "--set", setting,
                                    preexec_fn=huge_stacks, env=environment)
                self.assert_one_line(done, 1, ["cannot start 600"])

    def test_a_limited_address_space_must_hold_what_threads_reserve(self):
        def limited():
            resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))

        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        if self.command("--version", preexec_fn=limited, env=environment).returncode != 0:
            self.skipTest("this build reserves more address space than the test allows")
        digits = self.write_config({"run": {"steps": 1, "threads": 4}}, "digits.toml")
        done = self.command("run", digits, "--out", "out", preexec_fn=limited, env=environment)
        self.assert_one_line(done, 2, ["memory", "4 threads"])

    def test_a_diverging_run_names_step_node_and_tensor_and_keeps_its_results(self):
        settings = ["--set", "optimizer.lr=1e4", "--set", "run.steps=60", "--set", "evaluate.every_steps=1"]
        done = self.command("run", self.config, "--out", "out", "--quiet", *settings)
        self.assert_one_line(done, 1, ["step", "node", "tensor"])
        tensors, _ = read_safetensors(self.folder / "out" / "checkpoint.safetensors")
        self.assertTrue(np.isfinite(tensors["x"]).all())
        steps = [int(row["step"]) for row in read_metrics(self.folder / "out")]
        self.assertEqual(steps, list(range(tensors["step"][0] + 1)))
        self.assertGreater(tensors["step"][0], 0)


if __name__ == "__main__":
    main()
