"""What `sparsepush plan` says of messages and bytes is what a run sends."""

import re

from program import ProgramTest, main, quadratic, read_metrics

QUADRATIC = {
    "run": {"nodes": 9, "steps": 45},
    "data": {"name": "quadratic", "file": "problem.safetensors"},
    "optimizer": {"lr": 0.01},
}
COUNTS = ("messages", "bytes_authors", "bytes_coo32", "bytes_dense")
STATIC = {"name": "random_out", "degree": 2}
REGULAR = {"name": "exponential"}


class Plan(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("problem.safetensors", quadratic(9, (70, 1, 9)))

    def planned(self, config):
        """The numbers by the names of metrics.csv's columns, and whether they are exact."""
        done = self.command("plan", config)
        self.assertEqual(done.returncode, 0, done.stderr)
        numbers = {"messages": re.search(r"messages a replica: (?:about )?(\d+)", done.stdout)[1]}
        numbers |= {f"bytes_{name}": count for name, count in
                    re.findall(r"bytes (\w+): (?:about )?(\d+)", done.stdout)}
        return {name: int(number) for name, number in numbers.items()}, "about" not in done.stdout

    def compare(self, **sections):
        config = self.write_config(QUADRATIC | sections)
        planned, is_exact = self.planned(config)
        out = self.folder / f"out{len(list(self.folder.iterdir()))}"
        sent = read_metrics(self.run_ok(config, out.name))[-1]
        for name in COUNTS:
            if is_exact:
                self.assertEqual(planned[name], int(sent[name]), name)
            else:
                self.assertAlmostEqual(planned[name] / int(sent[name]), 1, delta=0.1, msg=name)
        if is_exact:
            self.assertLessEqual(int(sent["bytes_wire"]), planned["bytes_wire"])
        return is_exact

    def test_every_method(self):
        table = self.command("methods", "--markdown").stdout.split("\n\n")[0]
        names = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
        self.assertIn("push_gradient_tracking", names)
        for name in set(names) - {"fda"}:  # which is not known before the run
            keys = {"shared_block": {"blocks": 4}, "quantized_push_sum": {"compressor": "qsgd"}}.get(name, {})
            topology = {"d2": {"name": "ring", "weights": "metropolis"}}.get(name, REGULAR)
            with self.subTest(name):
                self.assertTrue(self.compare(algorithm={"name": name} | keys, topology=topology))

    def test_final_rounds(self):
        for final in ({"final_rounds": 7}, {"final": "all_reduce"}):
            self.assertTrue(self.compare(algorithm={"name": "scsp", "keep": 0.1} | final, topology=STATIC))

    def test_local_steps(self):
        for name in ("local_sgd", "sgp"):
            self.assertTrue(self.compare(algorithm={"name": name, "local_steps": 4}, topology=STATIC))

    def test_topologies_that_vary(self):
        for topology in ({"name": "one_peer_exponential"}, STATIC | {"redraw": True}):
            self.assertTrue(self.compare(algorithm={"name": "sgp"}, topology=topology))
        topology = {"name": "erdos_renyi", "probability": 0.3, "redraw": True}
        self.assertFalse(self.compare(algorithm={"name": "sgp"}, topology=topology))

    def test_replicas_with_topologies_of_their_own(self):
        """The most that one sends; seed 1 draws fewer edges than seed 3."""
        topology = {"name": "erdos_renyi", "probability": 0.3}
        for name in ("sgp", "sparse_push"):
            sections = {"algorithm": {"name": name}, "topology": topology}
            config = self.write_config(QUADRATIC | sections | {"run": QUADRATIC["run"] | {"replicas": 4}})
            planned, is_exact = self.planned(config)
            self.assertTrue(is_exact)
            sent = [row for row in read_metrics(self.run_ok(config, name)) if row["step"] == "45"]
            messages = [int(row["messages"]) for row in sent]
            self.assertLess(messages[0], max(messages))
            for column in COUNTS:
                self.assertEqual(planned[column], max(int(row[column]) for row in sent), column)
            self.assertLessEqual(max(int(row["bytes_wire"]) for row in sent), planned["bytes_wire"])
            said = self.command("plan", config).stdout
            self.assertIn(f"messages a replica: {max(messages)}, at most: each has a topology of its own\n", said)
            self.assertEqual(said.count(", at most)\n"), 4)


if __name__ == "__main__":
    main()
