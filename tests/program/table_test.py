"""`sparsepush table`: points, numbers, claims, and what `sparsepush plan` says of them."""

import math
import re
import subprocess
from pathlib import Path

from program import main, quadratic, toml
from table_making import BASE, COLUMNS, GRID, SCSP, SETTINGS, SWEEP, TableTest
from table_numbers import Run, assert_number, column_value, mean_and_deviation, rows_of

ROOT = Path(__file__).resolve().parents[2]


class Points(TableTest):
    def test_a_grid_is_its_separate_runs_whatever_runs_at_once(self):
        config = self.write_table(GRID)
        first = self.table(config, "jobs1", "--jobs", 1)
        points = rows_of(first / "points.csv")
        self.assertEqual([point["name"] for point in points],
                         [f"sparse_push, keep={keep}, lr={lr}" for keep in (0.5, 0.1) for lr in (0.1, 0.05)])
        alone = self.write_config(BASE, "alone.toml")
        for index, point in enumerate(points):
            folder = self.run_ok(alone, f"run{index}", "--set", f"algorithm.keep={point['algorithm.keep']}", "--set",
                                 f"optimizer.lr={point['optimizer.lr']}")
            self.assert_same_results(folder, first / point["folder"])
        for jobs in (2, 3):
            other = self.table(config, f"jobs{jobs}", "--jobs", jobs)
            self.assertEqual(self.contents(first, True), self.contents(other, True))

    def test_each_replica_is_the_run_of_its_seed(self):
        out = self.table(self.write_table(GRID))
        for replica in rows_of(out / "replicas.csv"):
            folder = self.run_ok(self.write_config(BASE, "alone.toml"), "alone" + replica["seed"] + replica["folder"][-8:],
                                 "--set", "run.replicas=1", "--set", f"run.seed={replica['seed']}",
                                 "--set", f"algorithm.keep={replica['algorithm.keep']}",
                                 "--set", f"optimizer.lr={replica['optimizer.lr']}")
            rows = (out / replica["folder"] / "metrics.csv").read_text().splitlines()[1:]
            own = [line.partition(",")[2] for line in rows if line.startswith(replica["replica"] + ",")]
            alone = [line.partition(",")[2] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
            self.assertEqual(own, alone)

    def test_points_that_are_the_same_are_one(self):
        out = self.table(self.write_table(SWEEP))
        points = rows_of(out / "points.csv")
        self.assertEqual([point["name"] for point in points],
                         ["SGP, skew=0", "SGP, skew=0.8", "Sparse-Push, keep=0.5, skew=0", "Sparse-Push, keep=0.1, skew=0",
                          "Sparse-Push, keep=0.5, skew=0.8", "Sparse-Push, keep=0.1, skew=0.8"])
        self.assertEqual([(point["data.skew"], point["algorithm.keep"]) for point in points[:3]],
                         [("0", ""), ("0.8", ""), ("0", "0.5")])
        self.assertEqual({point["status"] for point in points}, {"finished"})
        self.assertEqual({point["steps_done"] for point in points}, {"60"})
        for point in points:
            self.assertEqual(len(point["id"]), 16)
            self.assertRegex(point["folder"], r"^points/[A-Za-z0-9._=-]+-" + point["id"][:8] + "$")
        self.assertEqual(len(list((out / "points").iterdir())), 6)

    def test_rows_are_means_over_seeds_that_are_swept(self):
        base = BASE | {"run": BASE["run"] | {"replicas": 1}}
        out = self.table(self.write_table('[sweep]\n"run.seed" = [3, 7, 8]\n', base=base))
        (row,) = rows_of(out / "table.csv")
        self.assertEqual((row["name"], row["n"], row["status"]), ("sparse_push", "3", "finished"))
        self.assertNotIn("run.seed", row)
        replicas = rows_of(out / "replicas.csv")
        self.assertEqual([replica["seed"] for replica in replicas], ["3", "7", "8"])
        mean = sum(float(replica["accuracy_mean"]) for replica in replicas) / 3
        self.assertAlmostEqual(float(row["accuracy_mean"]), mean, delta=1e-9)
        self.refused("seed 4 occurs twice", text=toml(BASE) + '[sweep]\n"run.seed" = [3, 4]\n')

    def test_any_key_can_be_swept(self):
        keys = ('"topology.name" = ["directed_ring", "complete"]\n"model.hidden" = [[4], [8, 4]]\n'
                '"optimizer.milestones" = [[], [1]]\n')
        out = self.table(self.write_table("[sweep]\n" + keys))
        names = [row["name"] for row in rows_of(out / "table.csv")]
        self.assertEqual(len(names), 8)
        self.assertIn("sparse_push, hidden=[8, 4], milestones=[1], topology=complete", names)

    def test_points_may_be_sections_and_keys_may_be_dotted(self):
        inline = self.table(self.write_table(SWEEP), "inline")
        text = ('\n[sweep]\ndata.skew = [0.0, 0.8]\nalgorithm.keep = [0.5, 0.1]\n[[sweep.point]]\nname = "SGP"\n'
                'algorithm.name = "sgp"\n[[sweep.point]]\nname = "Sparse-Push"\n')
        sections = self.table(self.write_table(text), "sections")
        self.assertEqual((inline / "table.csv").read_text(), (sections / "table.csv").read_text())

    def test_what_a_point_sets_itself_wins(self):
        text = GRID + 'point = [{ name = "A" }, { name = "B", "algorithm.keep" = 0.1 }]\n'
        names = [row["name"] for row in rows_of(self.table(self.write_table(text)) / "table.csv")]
        self.assertEqual(names, ["A, keep=0.5, lr=0.1", "A, keep=0.5, lr=0.05", "A, keep=0.1, lr=0.1",
                                 "A, keep=0.1, lr=0.05"])
        note = 'the same settings under several names: "A, keep=0.1, lr=0.1" is B as well; "A, keep=0.1, lr=0.05" is B as well'
        self.assertIn(f"warning: {note}\n", self.said.stderr)
        self.assertIn(f"- Note: {note}.\n", (self.folder / "out/table.md").read_text())

    def test_set_changes_the_base(self):
        config = self.write_table(SWEEP)
        out = self.table(config, "out", "--set", "run.steps=40", "--set", "algorithm.averaging_rate=0.1")
        self.assertEqual({point["steps"] for point in rows_of(out / "points.csv")}, {"40"})
        self.refused("--set algorithm.keep=0.2", "a.toml:", config=config, arguments=["--set", "algorithm.keep=0.2"])
        self.refused("--set data.alpha=0.2", "counts for no point", config=config, arguments=["--set", "data.alpha=0.2"])


class Numbers(TableTest):
    def test_all_are_those_of_the_run_folders(self):
        out = self.table(self.write_table(SCSP, SETTINGS))
        points = {point["name"]: point for point in rows_of(out / "points.csv")}
        runs = {name: Run(out / point["folder"], 60, 0.7, 600) for name, point in points.items()}

        def reference(name):
            return "SGP, " + name.rpartition(", ")[2]

        def value(name, column, replica):
            return column_value(runs[name], lambda: runs[reference(name)], column, replica)

        rows = rows_of(out / "table.csv")
        self.assertEqual(list(rows[0]), ["name", "data.skew", "algorithm.keep", "status", "n",
                                         *(column + end for column in COLUMNS for end in ("", "_sd"))])
        self.assertEqual(len(rows), 10)
        counted = 0
        for row in rows:
            for column in COLUMNS:
                values = [value(row["name"], column, replica) for replica in range(2)]
                mean, sd = mean_and_deviation(values)
                counted += mean is not None
                assert_number(self, row[column], mean, (row["name"], column))
                if sd is None or sd > 1e-6 * abs(mean):  # else nothing but rounding
                    assert_number(self, row[column + "_sd"], sd, (row["name"], column + "_sd"))
        self.assertGreater(counted, 80)
        for row in rows_of(out / "replicas.csv"):
            self.assertEqual(row["seed"], str(1 + int(row["replica"])))
            for column in COLUMNS:
                assert_number(self, row[column], value(row["name"], column, int(row["replica"])), (row["name"], column))

    def test_columns_of_a_problem_without_accuracy(self):
        self.write("problem.safetensors", quadratic(4, (30,)))
        base = {"run": {"nodes": 4, "steps": 20}, "data": {"name": "quadratic", "file": "problem.safetensors"}}
        out = self.table(self.write_table(GRID, base=base))
        self.assertEqual(list(rows_of(out / "table.csv")[0])[-4:], ["test_loss", "test_loss_sd", "consensus", "consensus_sd"])
        self.assertEqual(rows_of(out / "table.csv")[0]["test_loss_sd"], "")  # one replica
        self.assertIn("- n = 1: one run, without deviation.\n", (out / "table.md").read_text())

    def test_markdown_and_latex_have_the_cells(self):
        labels = 'labels = { "data.skew=0.8" = "a_b & 50 % <c>", "algorithm.keep" = "kept|#$" }\n'
        out = self.table(self.write_table(SWEEP, SETTINGS, labels))
        markdown = (out / "table.md").read_text()
        self.assertEqual(self.said.stdout, markdown)
        head = markdown.splitlines()[0]
        self.assertIn("kept\\|#\\$", head)
        self.assertIn("a_b \\& 50 % \\<c\\>", head)
        self.assertEqual(markdown.splitlines()[2].count(" | "), 2 + 2 * len(COLUMNS) - 1)
        for word in ("n = 2", "standard deviation", "Deviations of bytes below 0.05 %", "sparsepush 0.", "cpu, 1 thread", "seconds in all", "sparsepush table"):
            self.assertIn(word, markdown)
        latex = (out / "table.tex").read_text()
        self.assertTrue(latex.startswith("\\begin{tabular}{ll" + "r" * 2 * len(COLUMNS) + "}\n\\toprule\n"))
        self.assertIn("\\multicolumn{10}{c}{a\\_b \\& 50 \\% \\textless{}c\\textgreater{}}", latex)
        (row,) = [row for row in rows_of(out / "table.csv") if row["name"] == "SGP, skew=0.8"]
        percent = f"{100 * float(row['accuracy_mean']):.1f} ± {100 * float(row['accuracy_mean_sd']):.1f}"
        self.assertIn(percent, markdown)
        self.assertIn(percent.replace("±", "$\\pm$"), latex)


class Claims(TableTest):
    def claim(self, *lines, row='{ name = "Sparse-Push", "algorithm.keep" = 0.1, "data.skew" = 0.0 }'):
        return "\n[[claim]]\n" + "\n".join([f"row = {row}", 'source = "nobody"', *lines]) + "\n"

    def test_are_judged_and_decide_the_exit_code(self):
        def settings(bound):
            return SETTINGS + self.claim('name = "few bytes"', 'metric = "bytes_wire:ratio"', f"at_least = {bound}")

        out = self.table(self.write_table(SWEEP, settings(1.5)))
        (claim,) = rows_of(out / "claims.csv")
        self.assertEqual(list(claim), ["claim", "row", "metric", "value", "sd", "n", "relation", "bound", "tolerance",
                                       "judged", "verdict", "clear", "source"])
        self.assertEqual([claim[key] for key in ("claim", "row", "n", "relation", "bound", "judged", "verdict", "source")],
                         ["few bytes", "Sparse-Push, keep=0.1, skew=0", "2", "at_least", "1.5", "true", "pass", "nobody"])
        row = next(row for row in rows_of(out / "table.csv") if row["name"] == claim["row"])
        self.assertEqual((claim["value"], claim["sd"]), (row["bytes_wire:ratio"], row["bytes_wire:ratio_sd"]))
        self.table(self.write_table(SWEEP, settings(1000)), code=3)
        self.assertEqual(rows_of(out / "claims.csv")[0]["verdict"], "fail")
        self.assertIn("| fail |", (out / "table.md").read_text())
        self.table(self.write_table(SWEEP, settings(1000).replace("at_least", "judged = false\nat_least")))
        self.assertEqual(rows_of(out / "claims.csv")[0]["judged"], "false")

    def test_bounds_tolerances_and_intervals(self):
        columns = '[table]\ncolumns = ["test_loss"]\n'
        out = self.table(self.write_table(SWEEP, columns))
        row = next(r for r in rows_of(out / "table.csv") if r["name"] == "Sparse-Push, keep=0.1, skew=0")
        mean, sd = float(row["test_loss"]), float(row["test_loss_sd"])  # whose bounds may be above 1
        half = 12.7062 * sd / math.sqrt(2)
        self.assertGreater(half, 0)
        cases = [("at_most", mean + 1e-6, 0, "pass"), ("at_most", mean - 1e-6, 0, "fail"),
                 ("at_most", mean - 1e-6, 1e-5, "pass"), ("at_least", mean + 1e-6, 0, "fail"),
                 ("at_least", mean + 1e-6, 1e-5, "pass"), ("near", mean + 0.01, 0.011, "pass"),
                 ("near", mean - 0.01, 0.009, "fail"), ("at_most", mean + half * 1.01, 0, "pass"),
                 ("at_least", mean + half * 0.99, 0, "fail")]
        text = "".join(self.claim(f'name = "{i}"', 'metric = "test_loss"', f"{relation} = {bound!r}",
                                  f"tolerance = {tolerance}") for i, (relation, bound, tolerance, _) in enumerate(cases))
        self.table(self.write_table(SWEEP, columns, text), code=3)
        claims = rows_of(out / "claims.csv")
        self.assertEqual([claim["verdict"] for claim in claims], [verdict for *_, verdict in cases])
        self.assertEqual([claim["clear"] for claim in claims],
                         ["yes" if abs(bound - mean) > half else "no" for _, bound, *_ in cases])

    def test_a_claim_is_judged_for_each_of_its_rows(self):
        text = self.claim('name = "learns"', 'metric = "accuracy_mean"', "at_least = 0.34", row='{ name = "SGP" }')
        out = self.table(self.write_table(SWEEP, text))
        self.assertEqual([claim["row"] for claim in rows_of(out / "claims.csv")], ["SGP, skew=0", "SGP, skew=0.8"])

    def test_a_claim_about_what_is_not_finished_is_missing(self):
        text = SETTINGS + self.claim('name = "few bytes"', 'metric = "bytes_wire:ratio"', "at_least = 1.5")
        out = self.table(self.write_table(SWEEP, text), "out", "--only", "SGP", code=1)
        (claim,) = rows_of(out / "claims.csv")
        self.assertEqual((claim["verdict"], claim["value"], claim["clear"]), ("missing", "", ""))


class Divergence(TableTest):
    def test_is_noted_of_rows_that_finish(self):
        base = {"run": {"nodes": 4, "steps": 300, "replicas": 2}, "model": {"name": "softmax"}, "evaluate": {"every_steps": 50}}
        out = self.table(self.write_table('[sweep]\n"algorithm.averaging_rate" = [0.5, 0.01]\n',
                                          base=base | {"algorithm": {"keep": 0.01}}))
        words = "loss grew to ten times that of the start"
        notes = [line for line in (out / "table.md").read_text().splitlines() if words in line]
        self.assertEqual(notes, [f"- Note: a {words}, so that the run seems to diverge: "
                                 '"sparse_push, averaging_rate=0.5" (seeds 1, 2).'])
        self.assertEqual((out / "report.html").read_text().count(f"a {words} in 2 of 2 replicas, so that it seems to diverge."), 1)
        for point, warned in zip(rows_of(out / "points.csv"), (True, False)):
            self.assertEqual(point["status"], "finished")
            self.assertEqual("seems to diverge" in (out / point["folder"] / "log.txt").read_text(), warned)


class Page(TableTest):
    def test_the_example_comes_out_as_it_is_shown(self):
        page = (ROOT / "docs/tables.md").read_text()
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        example = next(block for language, block in blocks if language == "toml")
        shown = next(block for _, block in blocks if block.startswith("| method"))
        self.table(self.write("two_methods.toml", example), code=3)

        def words(text):
            """What no processor changes: lines of the two tables, without decimals."""
            lines = [line for line in text.splitlines() if line.startswith("|")]
            return [re.sub(r"[\d.]+ ± [\d.]+", "#", line) for line in lines]

        self.assertEqual(words(self.said.stdout), words(shown))


class Planned(TableTest):
    def test_a_file_is_read_once(self):
        config = self.write_table(SWEEP)
        for command in (["table", "/dev/stdin", "--out", "out", "--quiet"], ["plan", "/dev/stdin"]):
            done = subprocess.run([self.program, *command], cwd=self.folder, input=config.read_text(), capture_output=True,
                                  text=True, timeout=self.timeout)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_points_are_listed(self):
        done = self.command("plan", self.write_table(SWEEP))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("  Sparse-Push, keep=0.1, skew=0.8\n", done.stdout)
        self.assertIn("6 points", done.stdout)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.toml"])

    def test_bytes_are_those_that_are_sent(self):
        own = "[topology]\nname = \"erdos_renyi\"\nprobability = 0.6\n"  # each seed draws another number of edges
        for name, topology in (("one", ""), ("own", own)):
            with self.subTest(topology):
                config = self.write_table(topology, '[sweep]\n"algorithm.name" = ["sgp"]\n', name=f"{name}.toml")
                planned = self.command("plan", config).stdout
                out = self.table(config, name)
                folder = out / rows_of(out / "points.csv")[0]["folder"]
                sent = [int(row["bytes_wire"]) for row in rows_of(folder / "metrics.csv") if row["step"] == "60"]
                self.assertEqual(len(set(sent)), 1 if name == "one" else 2)
                self.assertIn(f"{sum(sent) / 1e3:.1f} kB sent", planned)


if __name__ == "__main__":
    main()
