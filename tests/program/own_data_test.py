"""Users' own arrays: data.name = "file"."""

import csv

import numpy as np

from program import ProgramTest, main, read_metrics


def blobs(samples, features=6, classes=3, seed=0):
    """Labels and features of which class c has the mean 3 in feature c."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, samples)
    x = random.normal(size=(samples, features))
    x[np.arange(samples), labels] += 3
    return x.astype("<f4"), labels.astype("<i8")


def own_set(convert=lambda x: x, **more):
    train_x, train_y = blobs(300)
    test_x, test_y = blobs(100, seed=1)
    return {"train_x": convert(train_x), "train_y": train_y, "test_x": convert(test_x), "test_y": test_y, **more}


CONFIG = {"run": {"nodes": 4, "steps": 60}, "data": {"name": "file", "file": "own.safetensors"},
          "model": {"name": "softmax"}, "algorithm": {"name": "sgp"}}


def changed(**data):
    return CONFIG | {"data": CONFIG["data"] | data}


class OwnData(ProgramTest):
    def accuracy(self, out):
        return float(read_metrics(out)[-1]["accuracy_mean"])

    def test_floats_and_bytes_are_learned(self):
        to_bytes = lambda x: np.clip(100 + 20 * x, 0, 255).astype("u1")
        for name, convert in (("floats", lambda x: x), ("bytes", to_bytes)):
            self.write("own.safetensors", own_set(convert))
            self.assertGreater(self.accuracy(self.run_ok(self.write_config(CONFIG), name)), 0.9, name)

    def test_images_are_learned_by_networks_for_images(self):
        def to_images(x):
            images = np.zeros((len(x), 3, 28, 28), "u1")
            images[:, :2, 3:25, 2:26] = np.clip(100 + 20 * x[:, [0, 1]], 0, 255).astype("u1")[:, :, None, None]
            return images

        self.write("own.safetensors", own_set(to_images))
        config = CONFIG | {"run": {"nodes": 2, "steps": 30}, "model": {"name": "lenet5"}}
        config["data"] = config["data"] | {"augment": True}
        self.assertGreater(self.accuracy(self.run_ok(self.write_config(config), "out")), 0.7)

    def test_samples_that_belong_to_nodes(self):
        owner = (np.arange(300) % 7 % 4).astype("<i8")
        self.write("own.safetensors", own_set(train_node=owner))
        out = self.run_ok(self.write_config(changed(partition="file")), "out")
        with open(out / "partition.csv", newline="") as file:
            counts = [int(row["samples"]) for row in csv.DictReader(file)]
        self.assertEqual(counts, np.bincount(owner).tolist())
        iid = self.run_ok(self.write_config(CONFIG), "iid")
        self.assertNotEqual((iid / "partition.csv").read_text(), (out / "partition.csv").read_text())

    def test_a_run_goes_on_from_its_folder_alone(self):
        path = self.write("own.safetensors", own_set())
        config = self.write_config(CONFIG)
        whole = self.run_ok(config, "whole")
        part = self.run_ok(config, "part", "--set", "run.steps=20")
        path.unlink()
        done = self.command("resume", part, "--set", "run.steps=60", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((whole / "metrics.csv").read_text().splitlines()[-1],
                         (part / "metrics.csv").read_text().splitlines()[-1])

    def test_what_is_wrong_is_refused_by_all_commands(self):
        good = own_set()
        cases = {
            'tensor "train_y" is I64 [2]': (good | {"train_y": good["train_y"][:2]}, CONFIG),
            'train_y': ({key: good[key] for key in good if key != "train_y"}, CONFIG),
            'got -1': (good | {"test_y": good["test_y"] - 1}, CONFIG),
            'as train_x': (good | {"test_x": good["test_x"][:, :5].copy()}, CONFIG),
            'tensor "train_x" is F64 [300, 6]; expected U8 or F32': (good | {"train_x": good["train_x"].astype("<f8")},
                                                                    CONFIG),
            'needs data.partition_file, or a tensor train_node': (good, changed(partition="file")),
            'belongs to node 4; run.nodes is 4': (good | {"train_node": (np.arange(300) % 5).astype("<i8")},
                                                  changed(partition="file")),
            'has no images of several rows and columns': (good, changed(augment=True)),
            'is for images of': (good, CONFIG | {"model": {"name": "lenet5"}}),
            'needs data.file': (good, changed(file="")),
        }
        for words, (tensors, config) in cases.items():
            self.write("own.safetensors", tensors)
            path = self.write_config(config)
            for command in (["run", path, "--out", "out"], ["plan", path], ["topology", path]):
                with self.subTest(words, command=command[0]):
                    done = self.command(*command)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(words, done.stderr)

    def test_features_that_are_no_numbers_are_refused(self):
        tensors = own_set()
        tensors["train_x"][7, 2] = np.nan
        self.write("own.safetensors", tensors)
        done = self.command("run", self.write_config(CONFIG), "--out", "out")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('tensor "train_x": sample 7, feature 2', done.stderr)


if __name__ == "__main__":
    main()
