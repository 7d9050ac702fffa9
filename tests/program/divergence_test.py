"""Runs that are likely to diverge say so before, meanwhile and afterwards, with the key that is to blame."""

import json

from program import ProgramTest, main, read_metrics

FEW_STEPS = {"run": {"nodes": 4, "steps": 300}, "model": {"name": "softmax"}, "evaluate": {"every_steps": 50}}


class Divergence(ProgramTest):
    def run_with(self, out, **algorithm):
        config = self.write_config(FEW_STEPS | {"algorithm": algorithm})
        return self.command("run", config, "--out", out)

    def test_a_rate_above_keep_is_warned_of_before_the_run(self):
        for name in ("sparse_push", "choco", "deep_squeeze", "scsp"):
            done = self.run_with(name, name=name, keep=0.1, averaging_rate=0.2)
            words = "warning: algorithm.averaging_rate = 0.2 is above algorithm.keep = 0.1: the run may diverge"
            self.assertEqual(done.stderr.count(words), 1, done.stderr)
            self.assertEqual((self.folder / name / "log.txt").read_text().count(words), 1)
        for algorithm in ({"name": "sparse_push", "keep": 0.1}, {"name": "sparse_push", "compressor": "identity"},
                          {"name": "sgp"}, {"name": "none"}):
            self.assertNotIn("warning", self.run_with("-".join(map(str, algorithm.values())), **algorithm).stderr)

    def test_coarse_messages_are_warned_of_before_the_run(self):
        for out, algorithm, words in (
            ("random_k", {"name": "choco", "compressor": "random_k", "keep": 0.1, "averaging_rate": 0.2},
             "algorithm.averaging_rate = 0.2 is above algorithm.keep = 0.1"),
            ("sign", {"compressor": "sign", "averaging_rate": 0.05},
             "algorithm.averaging_rate = 0.05 is above 0.03, with sign"),
            ("qsgd", {"name": "quantized_push_sum", "levels": 7},
             "algorithm.levels = 7 gives the largest tensor, of 640 elements, a variance of 3.61 times its square"),
        ):
            done = self.run_with(out, **algorithm)
            self.assertEqual(done.stderr.count(f"warning: {words}"), 1, done.stderr)
        for out, algorithm in (("quiet sign", {"compressor": "sign", "averaging_rate": 0.03}),
                               ("quiet qsgd", {"name": "quantized_push_sum", "levels": 26}),
                               ("other method", {"compressor": "qsgd", "levels": 7, "averaging_rate": 0.01})):
            self.assertNotIn("warning", self.run_with(out, **algorithm).stderr)

    def test_growth_without_end_is_told_once(self):
        done = self.run_with("out", keep=0.01, averaging_rate=0.5)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = read_metrics(self.folder / "out")
        self.assertGreater(float(rows[-1]["train_loss"]), 10 * float(rows[0]["test_loss"]))  # it does grow
        self.assertEqual(done.stderr.count("so the run seems to diverge; algorithm.averaging_rate = 0.5"), 1, done.stderr)
        self.assertIn("seems to diverge", (self.folder / "out" / "log.txt").read_text())

    def test_the_end_names_the_likely_key_in_log_and_summary(self):
        for out, settings, remedy in (
            ("rate", {"keep": 0.01, "averaging_rate": 1.0}, "try an averaging_rate of at most keep"),
            ("lr", {"keep": 0.01}, "try a smaller optimizer.lr"),
        ):
            config = self.write_config({"run": {"steps": 1000}, "evaluate": {"every_steps": 500}, "algorithm": settings,
                                        "optimizer": {"lr": 0.1 if out == "rate" else 1e6}})
            done = self.command("run", config, "--out", out, "--quiet")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(remedy, done.stderr)
            self.assertIn(remedy, (self.folder / out / "log.txt").read_text())
            summary = json.loads((self.folder / out / "summary.json").read_text())
            self.assertEqual(summary["status"], "diverged")
            self.assertIn(remedy, summary["reason"])


if __name__ == "__main__":
    main()
