"""Files from outside that are missing, damaged or of something else: topologies, problems, checkpoints, data sets."""

import gzip
import json
import os
import random
import struct

import numpy as np

from program import main, quadratic, read_metrics, safetensors_bytes
from refused import SIZES, ErrorsTest


class Topologies(ErrorsTest):
    def test_faults_of_a_topology_file_are_named(self):
        ring = "0,0,1\n0,1,2\n0,2,3\n0,3,0\n"
        weighted = "0,0,1,0.5\n0,1,2,0.5\n0,2,3,0.5\n0,3,0,0.5\n"
        unweighted, header = "round,source,target\n", "round,source,target,weight\n"
        cases = {
            "column": (header + weighted + "0,0,0,0.3\n", ["0.8"]),
            "self weight 0": (header + weighted.replace("0,1,2,0.5", "0,1,2,1.0"), ["node 1"]),
            "disconnected": (unweighted + "0,0,1\n0,1,0\n0,2,3\n0,3,2\n", ["connected"]),
            "duplicate": (unweighted + ring + "0,2,3\n", ["6"]),
            "out of range": (unweighted + ring + "0,2,4\n", ["6", "4"]),
            "negative": (unweighted + ring + "0,-1,2\n", ["6", "-1"]),
            "missing round": (unweighted + ring + "2,0,1\n", ["round 1"]),
            "weight on some rows": (header + weighted + "0,1,3\n", ["6"]),
            "negative weight": (header + weighted.replace("0,1,2,0.5", "0,1,2,-0.5"), ["-0.5"]),
            "no number": (unweighted + ring + "0,one,2\n", ["6", "one"]),
            "huge round": (unweighted + ring + "99999999999999999999,0,1\n", ["6"]),
            "wrong header": ("from,to\n0,1\n", ["round,source,target"]),
            "empty": ("", ["edges.csv"]),
        }
        for name, (text, words) in cases.items():
            with self.subTest(name):
                self.write("edges.csv", text)
                settings = ["--set", "topology.name=file", "--set", "topology.file=edges.csv"]
                self.assert_refused("edges.csv" if name != "disconnected" else "", *words, arguments=settings)

    def test_missing_files_are_named(self):
        self.assert_refused("lost.csv", arguments=["--set", "topology.name=file", "--set", "topology.file=lost.csv"])
        self.assert_setting_refused("data.file=lost.safetensors", "lost.safetensors")

    def test_a_pipe_is_refused_not_waited_for(self):
        os.mkfifo(self.folder / "pipe.csv")
        self.assert_refused("pipe.csv", arguments=["--set", "topology.name=file", "--set", "topology.file=pipe.csv"])

    def test_topology_describes_degrees_mixing_and_push_sum(self):
        done = self.command("topology", self.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("digraph", done.stdout)
        self.assertIn("idle", done.stdout)


class ProblemFiles(ErrorsTest):
    def header(self, entries, data=b""):
        text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
        return struct.pack("<Q", len(text)) + text + data

    def test_malformed_problems_are_refused(self):
        good = quadratic(4, SIZES)
        row = {"dtype": "F32", "shape": [4, 1], "data_offsets": [0, 16]}
        everything = {name: row for name in ("curvature", "target", "start")}
        claims = {"dtype": "F32", "shape": [4, 2**38], "data_offsets": [0, 2**42]}
        overflow = {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}
        cases = {
            "empty": b"", "short": b"1234", "garbage": random.Random(1).randbytes(5000),
            "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
            "header past the end": struct.pack("<Q", 900) + b"{}", "deep": self.header(b"[" * 200000),
            "no object": self.header(b"[1, 2]"), "no JSON": self.header(b"{'a': 1}"),
            "terabytes": self.header({name: claims for name in everything}, b"\0" * 64),
            "overflow": self.header(everything | {"target": overflow}, b"\0" * 16),
            "overlap": self.header(everything, b"\0" * 16),
            "negative offset": self.header({"curvature": row | {"data_offsets": [-16, 0]}}, b"\0" * 16),
            "wrong types": self.header({"curvature": {"dtype": 7, "shape": "x", "data_offsets": {}}}, b"\0" * 16),
            "no start": {name: good[name] for name in ("curvature", "target")},
            "extra tensor": good | {"mass": good["target"]}, "doubles": good | {"target": good["target"].astype("<f8")},
            "nodes": quadratic(5, SIZES), "shape": good | {"target": good["target"][:, 1:].copy()},
        }
        for sizes in ([3, 41], [0, 43], [-1, 44], []):
            cases[f"segments {sizes}"] = good | {"segments": np.array(sizes, "<i8")}
        for name, content in cases.items():
            with self.subTest(name):
                self.write("problem.safetensors", content)
                self.assert_refused("problem.safetensors")

    def test_words_of_a_hostile_file_are_quoted_and_shortened(self):
        good, hostile = quadratic(4, SIZES), "two\nlines\x1b[2J" + "x" * 10000
        self.write("problem.safetensors", good | {hostile: good["target"]})
        done = self.command("plan", self.config)
        self.assert_one_line(done, 2, ["two\\u000Alines"])
        self.assertLess(len(done.stderr), 400)
        self.write("problem.safetensors", good)
        checkpoint = self.run_ok(self.config, "out") / "checkpoint.safetensors"
        checkpoint.write_bytes(self.header({"__metadata__": {"config_hash": hostile}}))
        done = self.command("run", self.config, "--out", "out", "--resume")
        self.assert_one_line(done, 2, ["two\\u000Alines"])
        self.assertLess(len(done.stderr), 400)

    def test_a_problem_of_terabytes_is_refused_before_it_is_read(self):
        nodes, params = 256, 2**31 - 64
        size = 4 * nodes * params
        spans = {"curvature": (0, size), "target": (size, 2 * size), "start": (2 * size, 2 * size + 4 * params)}
        shape = {"curvature": [nodes, params], "target": [nodes, params], "start": [params]}
        path = self.write("problem.safetensors", self.header(
            {name: {"dtype": "F32", "shape": shape[name], "data_offsets": span} for name, span in spans.items()}))
        try:
            os.truncate(path, path.stat().st_size + 2 * size + 4 * params)
        except OSError as error:
            self.skipTest(f"no sparse files here: {error}")
        done = self.command("run", self.config, "--out", "refused", "--set", f"run.nodes={nodes}")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("terminate called", done.stderr)

    def test_truncated_and_altered_problems_never_crash(self):
        good, dice = safetensors_bytes(quadratic(4, SIZES)), random.Random(5)
        for trial in range(60):
            damaged = bytearray(good)
            if trial % 3 == 0:
                del damaged[dice.randrange(1, len(good)) :]
            for place in dice.choices(range(min(len(damaged), 400)), k=3):
                damaged[place] = dice.randrange(256)
            self.write("problem.safetensors", bytes(damaged))
            done = self.command("run", self.config, "--out", f"trial{trial}", "--set", "run.steps=1", "--quiet")
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)
            self.assertNotIn("terminate called", done.stderr)


class ImageModels(ErrorsTest):
    def test_a_checkpoint_without_its_statistics_is_refused(self):
        config = self.write_config({"run": {"nodes": 2, "steps": 1}, "model": {"name": "resnet20", "norm": "batch"},
                                    "data": {"batch": 2}, "evaluate": {"nodes": 1}})
        out = self.run_ok(config, "out")
        whole = (out / "checkpoint.safetensors").read_bytes()
        for found, replacement in ((b'"statistics":{', b'"statisticz":{'), (b"[2,1376]", b"[1376,2]")):
            self.assertIn(found, whole)
            (out / "checkpoint.safetensors").write_bytes(whole.replace(found, replacement, 1))
            self.assert_one_line(self.command("run", config, "--out", out, "--resume"), 2, ["statistics"])


class DataSets(ErrorsTest):
    """Sets in files of their full size, most of them sparse."""

    def setUp(self):
        super().setUp()
        self.config = self.write_config({"run": {"nodes": 2, "steps": 2}, "data": {"name": "mnist"},
                                         "model": {"name": "softmax"}, "evaluate": {"nodes": 1}})

    def write_zeros(self, name, size, start=b""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(start)
        os.truncate(path, size)
        return path

    def write_mnist(self):
        for part, count in (("train", 60000), ("t10k", 10000)):
            images = struct.pack(">4I", 0x803, count, 28, 28)
            self.write_zeros(f"data/mnist/{part}-images-idx3-ubyte", 16 + 784 * count, images)
            labels = struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count))
            self.write(f"data/mnist/{part}-labels-idx1-ubyte", labels)

    def test_a_missing_set_names_the_command_that_gets_it(self):
        self.assert_refused("data/mnist", '"data/fetch.sh mnist"')
        for name in ("cifar10", "cifar100", "fashion_mnist"):
            self.assert_refused(f"data/{name}", f'"data/fetch.sh {name}"', arguments=["--set", f"data.name={name}"])
        self.assert_setting_refused("data.path=lost", '"data/fetch.sh mnist lost"')
        self.assert_setting_refused("data.path=experiment.toml", "expected a folder", "experiment.toml")
        self.assert_refused("data.path", "digits", arguments=["--set", "data.name=digits", "--set", "data.path=lost"])

    def test_a_set_that_is_whole_is_learned_from(self):
        self.write_mnist()
        first = read_metrics(self.run_ok(self.config, "out"))[0]
        self.assertEqual(float(first["accuracy_mean"]), 0.1)  # all images are alike, so all have the same class

    def test_models_for_other_images_are_refused(self):
        self.write_mnist()
        for model, data, words in (
            ("lenet5", "digits", ["model.name", '"lenet5" is for images of 28 or 32 pixels', '"digits" has 8 x 8']),
            ("vgg11", "mnist", ["model.name", '"vgg11" is for images of 32 pixels', '"mnist" has 28 x 28']),
            ("resnet20", "synthetic", ["model.name", '"resnet20" is for images of', '"synthetic"']),
        ):
            with self.subTest(model):
                arguments = ["--set", f"model.name={model}", "--set", f"data.name={data}"]
                self.assert_refused(*words, arguments=arguments)

    def test_damaged_files_are_refused(self):
        self.write_mnist()
        good = (self.folder / "data/mnist/t10k-labels-idx1-ubyte").read_bytes()
        cases = {"empty": b"", "short": good[:-1], "long": good + b"0", "label": good[:-1] + b"\x0a",
                 "magic": b"\x1f\x8b" + good[2:], "count": good[:4] + b"\xff" * 4 + good[8:]}
        for name, content in cases.items():
            with self.subTest(name):
                self.write("data/mnist/t10k-labels-idx1-ubyte", content)
                self.assert_refused("data/mnist/t10k-labels-idx1-ubyte: ")
        self.write("data/mnist/t10k-labels-idx1-ubyte", good)
        self.write_zeros("data/mnist/train-images-idx3-ubyte", 2**40)
        self.assert_refused("train-images-idx3-ubyte: expected 47040016 bytes", str(2**40))

    def test_files_are_found_under_the_names_that_others_give_them(self):
        self.write_mnist()
        expected = read_metrics(self.run_ok(self.config, "expected"))
        plain = self.folder / "data/mnist"
        for name, place, rename, packed in (
            ("dotted", "", lambda name: name.replace("-idx", ".idx"), False),
            ("packed", "", lambda name: name, True),
            ("both", "", lambda name: name.replace("-idx", ".idx"), True),
            ("torchvision", "MNIST/raw", lambda name: name, False),
            ("raw", "raw", lambda name: name, True),
        ):
            with self.subTest(name):
                folder = self.folder / name / place
                folder.mkdir(parents=True)
                for path in plain.iterdir():
                    content = path.read_bytes()
                    target = folder / (rename(path.name) + (".gz" if packed else ""))
                    target.write_bytes(gzip.compress(content, 1) if packed else content)
                out = self.run_ok(self.config, f"out_{name}", "--set", f"data.path={name}")
                self.assertEqual(read_metrics(out), expected)
        labels = self.folder / "packed" / "t10k-labels-idx1-ubyte.gz"
        labels.write_bytes(gzip.compress(b""))
        self.assert_setting_refused("data.path=packed", "t10k-labels-idx1-ubyte.gz: expected 10008 bytes when unpacked, got 0")
        labels.write_bytes(labels.read_bytes()[:9])
        self.assert_setting_refused("data.path=packed", "t10k-labels-idx1-ubyte.gz: is damaged")

    def test_labels_of_no_known_set_are_warned_of(self):
        self.write_mnist()
        for command in (["plan", self.config], ["run", self.config, "--out", "out"]):
            done = self.command(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
            for part in ("train", "t10k"):
                self.assertRegex(done.stderr, f"warning: .*{part}-labels-idx1-ubyte: its SHA-256 is not that of the labels of mnist")
        self.assertIn("SHA-256", (self.folder / "out/log.txt").read_text())

    def test_the_python_version_of_cifar_is_told_from_a_wrong_path(self):
        for name, folder, file in (("cifar10", "cifar-10-batches-py", "data_batch_1"), ("cifar100", "cifar-100-python", "train")):
            (self.folder / folder).mkdir()
            self.write(f"{folder}/{file}", "")
            for path in (".", folder):
                self.assert_refused("expected a file of the Python version", "binary version", f'"data/fetch.sh {name} ',
                                    arguments=["--set", f"data.name={name}", "--set", f"data.path={path}"])

    def test_the_plan_counts_a_large_set(self):
        for i in range(1, 6):
            self.write_zeros(f"data/cifar10/cifar-10-batches-bin/data_batch_{i}.bin", 10000 * 3073)
        self.write_zeros("data/cifar10/cifar-10-batches-bin/test_batch.bin", 10000 * 3073)
        plan = self.command("plan", self.config, "--set", "data.name=cifar10")
        self.assertEqual(plan.returncode, 0, plan.stderr)
        self.assertRegex(plan.stdout, r"data set, as read +\[60000, 3072\] u8 +184.4 MB")
        self.assertRegex(plan.stdout, r"data set of the shards +1 x \[60000, 3072\] u8 +184.4 MB")


if __name__ == "__main__":
    main()
