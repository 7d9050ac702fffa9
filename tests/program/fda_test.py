"""Federated Dynamic Averaging reaches an accuracy with a tenth of the bytes of all-reduce, and in little more steps."""

import json
from pathlib import Path

from program import ProgramTest, main, read_metrics

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "dynamic_averaging.toml"
FDA = 'name = "fda"\nthreshold = 2.0'  # in the example
ACCURACY = 0.95  # of the mean model


class FdaTest(ProgramTest):
    timeout = 600  # many steps of networks

    def reached(self, out, algorithm):
        """Means over the replicas of steps, bytes and syncs at the first test with ACCURACY."""
        text = EXAMPLE.read_text()
        self.assertIn(FDA, text)
        rows, found = read_metrics(self.run_ok(self.write(f"{out}.toml", text.replace(FDA, algorithm)), out)), []
        for replica in range(3):
            own = [row for row in rows if int(row["replica"]) == replica]
            found.append(next(row for row in own if float(row["accuracy_mean_model"]) >= ACCURACY))
        return [sum(int(row.get(name) or 0) for row in found) / len(found) for name in ("step", "bytes_wire", "syncs")]

    def test_the_example_saves_nine_of_ten_bytes(self):
        steps, sent, _ = self.reached("all_reduce", 'name = "all_reduce"')
        linear_steps, linear_sent, linear_syncs = self.reached("linear", FDA)
        _, naive_sent, naive_syncs = self.reached("naive", f'{FDA}\nmonitor = "naive"')
        print(f"fda: bytes {sent / linear_sent:.1f}x less, steps {linear_steps / steps:.2f}x; "
              f"naive: bytes {sent / naive_sent:.1f}x less", flush=True)
        self.assertLessEqual(linear_sent, sent / 10)
        self.assertLessEqual(linear_steps, 2.5 * steps)
        self.assertLess(linear_syncs, naive_syncs)

    def test_syncs_stand_in_metrics_summary_and_evaluation_lines(self):
        done = self.command("run", EXAMPLE, "--out", "out", "--set", "run.steps=20", "--set", "evaluate.every_steps=10")
        self.assertEqual(done.returncode, 0, done.stderr)
        last = read_metrics(self.folder / "out")[-3:]
        summary = json.loads((self.folder / "out/summary.json").read_text())
        for row, replica in zip(last, summary["replicas"]):
            self.assertGreater(replica["syncs"], 0)
            self.assertEqual(int(row["syncs"]), replica["syncs"])
            self.assertIn(f"  syncs {row['syncs']}  sent ", done.stdout + done.stderr)

    def test_the_plan_tells_what_a_step_and_a_sync_send(self):
        plan = self.command("plan", EXAMPLE).stdout
        self.assertIn("messages a replica: 3600\nand in every sync: 18 of 340008 bytes\nbytes authors: 28800 ", plan)

    def test_other_methods_have_no_syncs_and_its_keys_are_refused_there(self):
        config = self.write_config({"run": {"steps": 2, "nodes": 3}, "algorithm": {"name": "local_sgd"}})
        out = self.run_ok(config, "local_sgd")
        self.assertNotIn("syncs", read_metrics(out)[0])
        self.assertNotIn("syncs", (out / "summary.json").read_text())
        for key in ("threshold=1", "monitor=naive"):
            refused = self.command("run", config, "--set", f"algorithm.{key}")
            self.assertEqual(refused.returncode, 2)
            self.assertIn("only used with algorithm.name = \"fda\"", refused.stderr)
        refused = self.command("run", EXAMPLE, "--set", "algorithm.local_steps=2")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("algorithm.local_steps: only used with", refused.stderr)


if __name__ == "__main__":
    main()
