"""Who has which samples: skewed partitions that leave nobody out, nodes without data, partitions from files."""

import csv

import numpy as np

from program import ProgramTest, main, read_metrics, read_safetensors


class Partition(ProgramTest):
    def counts(self, folder):
        with open(folder / "partition.csv", newline="") as file:
            return [int(row["samples"]) for row in csv.DictReader(file)]

    def test_dirichlet_leaves_no_node_without_samples(self):
        for nodes, alpha in ((10, 0.01), (300, 0.1)):
            config = self.write_config({"run": {"nodes": nodes, "steps": 1},
                                        "data": {"partition": "dirichlet", "alpha": alpha}, "evaluate": {"nodes": 1}})
            out = self.run_ok(config, f"out{nodes}")
            self.assertEqual(sum(self.counts(out)), 1498)
            self.assertGreaterEqual(min(self.counts(out)), 1)
        out = self.run_ok(config, "five", "--set", "data.min_samples=4")
        self.assertGreaterEqual(min(self.counts(out)), 4)

    def test_the_data_seed_divides_alike_whatever_the_seed_of_the_run(self):
        for partition in ({"partition": "dirichlet", "alpha": 0.3}, {"partition": "shards", "shards": 3},
                          {"partition": "quantity"}):
            config = self.write_config({"run": {"nodes": 5, "steps": 1, "replicas": 2}, "data": partition,
                                        "evaluate": {"nodes": 1}})

            def rows(name, *settings):
                out = self.run_ok(config, f"{partition['partition']}_{name}",
                                  *(word for setting in settings for word in ("--set", setting)))
                with open(out / "partition.csv", newline="") as file:
                    rows = list(csv.DictReader(file))
                self.assertEqual(sum(int(row["samples"]) for row in rows), 2 * 1498)
                return [{key: row[key] for key in row if key != "replica"} for row in rows]

            first = rows("a", "data.seed=7")
            self.assertEqual(first[:5], first[5:])
            self.assertEqual(first, rows("b", "data.seed=7", "run.seed=40"))
            self.assertNotEqual(first, rows("c", "data.seed=8"))
            own = rows("d", "run.seed=7")
            self.assertEqual(own[:5], first[:5])  # the seed of the first replica
            self.assertNotEqual(own[5:], first[5:])

    def test_too_few_samples_are_refused_by_all_commands(self):
        config = self.write_config({"run": {"nodes": 1600, "steps": 1}})
        for command in (["run", config, "--out", "out"], ["plan", config], ["topology", config]):
            done = self.command(*command)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"data.partition: node \d+ of 1600 has no training samples")
            self.assertIn("data.min_samples", done.stderr)

    def test_nodes_without_data_only_mix(self):
        self.write("two.csv", "sample,node\n" + "".join(f"{i},{3 * (i % 2)}\n" for i in range(64)))
        sections = {"run": {"nodes": 4, "steps": 7},
                    "data": {"partition": "file", "partition_file": "two.csv", "min_samples": 0},
                    "algorithm": {"name": "none"}, "optimizer": {"weight_decay": 0.1}, "evaluate": {"every_steps": 1}}
        out = self.run_ok(self.write_config(sections), "out")
        tensors, _ = read_safetensors(out / "checkpoint.safetensors")
        x, momentum = tensors["x"], tensors["momentum"]
        np.testing.assert_array_equal(x[1], x[2])
        self.assertFalse(momentum[1:3].any())
        self.assertTrue(momentum[0].any() and momentum[3].any())
        start, _ = read_safetensors(self.run_ok(self.write_config(sections | {"run": {"nodes": 4, "steps": 1}}), "start",
                                                "--set", "optimizer.lr=0.0") / "checkpoint.safetensors")
        np.testing.assert_array_equal(x[1], start["x"][1])  # neither gradient nor weight decay has moved it
        alone = sections | {"run": {"nodes": 2, "steps": 7}}
        self.write("alone.csv", "sample,node\n" + "".join(f"{i},{i % 2}\n" for i in range(64)))
        both = self.run_ok(self.write_config(alone), "alone", "--set", "data.partition_file=alone.csv")
        first = read_safetensors(both / "checkpoint.safetensors")[0]["x"][0]
        np.testing.assert_array_equal(x[0], first)  # node 0 learns as if the others were not there
        self.assertEqual(read_metrics(out)[2]["epoch"], "1")  # 64 samples of 2 nodes, 16 a step

    def test_more_nodes_than_samples_relay(self):
        config = self.write_config({"run": {"nodes": 1600, "steps": 2}, "data": {"min_samples": 0},
                                    "model": {"name": "softmax"}, "evaluate": {"nodes": 1}})
        self.assertEqual(self.counts(self.run_ok(config, "out")).count(0), 102)
        done = self.command("run", config, "--out", "norm", "--set", "model.name=resnet20", "--set", "model.norm=batch")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("102 of 1600 nodes have none", done.stderr)

    def test_a_file_says_who_has_what(self):
        self.write("p.csv", "sample,node\n5,1\n0,0\n4,1\n")
        sections = {"run": {"nodes": 2, "steps": 2}, "data": {"partition": "file", "partition_file": "p.csv"}}
        out = self.run_ok(self.write_config(sections), "out")
        self.assertEqual(self.counts(out), [1, 2])
        self.assertIn("1495 of 1498 training samples are not used", (out / "log.txt").read_text())
        cases = {
            "": "expected the header", "sample,node\n": "no training samples", "sample,node\n0,0\n": "node 1 of 2",
            "node,sample\n0,0\n": "expected the header", "sample,node\n0,0\n1\n": "p.csv:3: expected two numbers",
            "sample,node\n0,2\n": "p.csv:2: node: expected 0 <= node < run.nodes, which is 2",
            "sample,node\n1498,1\n": "p.csv:2: sample: expected 0 <= sample < 1498", "sample,node\n-1,1\n": "sample",
            "sample,node\n3,0\n3,1\n": "p.csv:3: sample 3 is in line 2 already",
            "sample,node\n" + "9" * 200: "at most 100 characters",
        }
        for content, words in cases.items():
            with self.subTest(content[:30]):
                self.write("p.csv", content)
                done = self.command("plan", self.folder / "experiment.toml")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)
        done = self.command("plan", self.write_config({"data": {"partition": "file"}}))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("needs data.partition_file", done.stderr)

    def test_min_samples_counts_for_the_hash_but_at_its_default(self):
        sections = {"run": {"nodes": 2, "steps": 1}, "evaluate": {"nodes": 1}}
        hashes = []
        for n, setting in enumerate(([], ["--set", "data.min_samples=1"], ["--set", "data.min_samples=2"])):
            out = self.run_ok(self.write_config(sections), f"out{n}", *setting)
            hashes.append(read_safetensors(out / "checkpoint.safetensors")[1]["config_hash"])
        self.assertEqual(hashes[0], hashes[1])
        self.assertNotEqual(hashes[0], hashes[2])


if __name__ == "__main__":
    main()
