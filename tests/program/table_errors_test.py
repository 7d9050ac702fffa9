"""What `sparsepush table` refuses, in one line that names file, line, point and key."""

from program import main, toml
from table_making import BASE, GRID, SWEEP, TableTest


class Errors(TableTest):
    def test_name_file_line_point_and_key(self):
        base = toml(BASE)
        line = base.count("\n") + 1

        def refused(text, *words):
            with self.subTest(text):
                self.refused(*words, text=base + text)

        refused("", "expected a section [sweep]", "sparsepush run")
        refused('[sweep]\n"algorithm.kep" = [1]\n', f"refused.toml:{line + 1}: unknown key \"kep\"", '"keep"')
        refused('[sweep]\n"algorithm.keep" = 0.1\n', f"refused.toml:{line + 1}: algorithm.keep: expected a list")
        refused('[sweep]\n"algorithm.keep" = []\n', "an empty one")
        refused('[sweep]\n"algorithm.keep" = [0.1, 2]\n', f"refused.toml:{line + 1}: point", "0 < keep <= 1, got 2")
        refused('[sweep]\n"data.alpha" = [0.1, 1.0]\n',
                f'refused.toml:{line + 1}: data.alpha: counts for no point of the table (data.partition is "skew")')
        refused('[sweep]\n"algorithm.name" = ["sgp", "d_psgd"]\n"algorithm.keep" = [0.1]\n',
                'counts for no point of the table (algorithm.name is "sgp", algorithm.name is "d_psgd")')
        refused('[sweep]\nkeep = [0.1]\n', f'refused.toml:{line + 1}: unknown key "keep"; did you mean "algorithm.keep"?')
        refused('[[claim]]\n[sweeps]\n', f'refused.toml:{line + 1}: unknown section "sweeps"; did you mean "sweep"?')
        refused('[tables]\n[sweep]\n"algorithm.keep" = [1]\n', 'unknown section "tables"; did you mean "table"?')
        refused('[sweep]\n"run.threads" = [1, 2]\n', "run.threads", "cannot be swept")
        refused('[sweep]\n', "expected keys with lists of values, or points")
        refused('[sweep]\npoint = [{ name = "A", "algorithm.name" = "sgp", "algorithm.keep" = 0.5 }]\n',
                "algorithm.keep", 'point "A"')
        refused('[sweep]\npoint = [{ name = "A", "optimizer.lr" = 0.5 }, { name = "A" }]\n', '"A"', "a name of its own")
        refused('[[sweep.point]]\nname = "A"\n[[sweep.point]]\nname = "B"\ntopology.name = "star"\nalgorithm.name = "d_psgd"\n',
                f'refused.toml:{line + 5}: point "B": algorithm.name', "doubly stochastic")
        refused('[sweep]\n"run.nodes" = [4, 100000000]\n', "nodes")

    def test_of_a_precision_that_the_backend_does_not_have(self):
        images = BASE | {"data": {"name": "digits"}, "model": {"name": "resnet20"}}
        for order in ('["fp32", "tf32"]', '["tf32", "fp32"]'):
            self.refused("run.precision", "tensor cores", '"auto"',
                         text=toml(images) + f'[sweep]\n"run.precision" = {order}\n')

    def test_of_convolutions_by_cudnn_where_the_backend_is_the_cpu(self):
        images = BASE | {"data": {"name": "digits"}, "model": {"name": "resnet20"}}
        self.refused("run.convolution", "on a GPU", '"own"',
                     text=toml(images) + '[sweep]\n"run.convolution" = ["own", "cudnn"]\n')
        planned = self.command("plan", self.folder / "refused.toml", "--backend", "cuda")
        self.assertEqual(planned.returncode, 0, planned.stderr)

    def test_of_columns_references_and_claims(self):
        base = toml(BASE) + SWEEP
        line = base.count("\n") + 1

        def refused(text, *words):
            with self.subTest(text):
                self.refused(*words, text=base + text)

        where = f"refused.toml:{line + 1}: "
        refused('[table]\ncolums = ["a"]\n', where, '"colums"', '"columns"')
        refused('[table]\ncolumns = ["accuracy_men"]\n', where, '"accuracy_mean"')
        refused('[table]\ncolumns = ["accuracy_mean@last5"]\n', where, '"SGP, skew=0" has only 4 evaluations')
        refused('[table]\ncolumns = ["accuracy_mean@reach"]\n', where, "needs table.reach")
        refused('[table]\ncolumns = ["bytes_wire@full"]\n', where, "needs table.full_steps")
        refused('[table]\ncolumns = ["bytes_wire:ratio"]\n', where, "needs table.reference")
        refused('[table]\nreference = "sgp"\n', where, 'matches no row for "SGP, skew=0"; rows are called "SGP", "Sparse-Push"')
        refused('[table]\nreference = "Sparse-Push"\n', where,
                'matches 2 rows for "SGP, skew=0"; they differ in algorithm.keep: give the reference a value of it')
        refused('[table]\nreference = { name = "SGP", "data.skew" = 0.5 }\n', where, "; data.skew is 0, 0.8\n")
        refused('[table]\nreference = { name = "SGP", "algorithm.keep" = 0.1 }\n', "; algorithm.keep does not count there\n")
        self.refused('for "all, skew=0"; its rows have other values of data.skew: give the reference one\n',
                     text=toml(BASE) + '[sweep]\n"data.skew" = [0.0, 0.8]\npoint = [{ name = "one", "data.skew" = 0.3 }, '
                     '{ name = "all" }]\n[table]\nreference = "one"\n')
        refused('[table]\nacross = "optimizer.lr"\n', where, "key of the grid")
        refused('[table]\nspread = "wide"\n', where, "sd, ci95, none")
        refused('[table]\nlabels = { "data.skew=0.7" = "x" }\n', where, "data.skew=0.7")
        refused('[table]\ncolumns = ["accuracy"]\nlabels = { "accuracy_mean" = "x" }\n', where, 'unknown metric "accuracy"')
        refused('[table]\ncolumns = ["seconds"]\nlabels = { "accuracy_mean" = "x" }\n', '"accuracy_mean" is no column')
        claim = '[[claim]]\nname = "a"\nsource = "b"\nmetric = "accuracy_mean"\n'
        refused(claim + 'row = { name = "nobody" }\nat_most = 1\n', f"refused.toml:{line + 4}: ",
                'claim.row: { name = "nobody" } matches no row of the table; rows are called "SGP", "Sparse-Push"\n')
        refused(claim + 'row = { "algorithm.keep" = 0.3 }\nat_most = 1\n', "; algorithm.keep is 0.5, 0.1\n")
        refused(claim + 'row = { keep = 0.1 }\nat_most = 1\n',
                f'refused.toml:{line + 4}: unknown key "keep"; did you mean "algorithm.keep"?')
        refused(claim + "atmost = 0.01\n", f'refused.toml:{line + 4}: unknown key "atmost" of claim; did you mean "at_most"?')
        refused(claim, "expected one of at_most, at_least, near")
        refused(claim + "at_most = 1\nat_least = 0\n", "expected only one of at_most, at_least, near")
        refused(claim + "near = 0.5\n", "tolerance")
        refused(claim.replace('source = "b"\n', "") + "at_most = 1\n", "source")

    def test_of_percent_where_fractions_are_meant(self):
        base = toml(BASE) + SWEEP
        line = base.count("\n") + 1
        words = "expected at most 1 in magnitude: accuracies and their gaps are fractions, such as 0.9 for 90 %"
        self.refused(f"refused.toml:{line + 1}: table.reach: {words}, got integer 90", text=base + "[table]\nreach = 90\n")
        settings = '[table]\nreference = "SGP"\n[[claim]]\nname = "a"\nsource = "b"\n'
        for metric in ("accuracy_mean", "accuracy_mean_model@best:gap"):
            for bound in ("at_most = 5", "at_least = -1.5", "near = 80\ntolerance = 1", "near = 0.5\ntolerance = 2"):
                with self.subTest(metric=metric, bound=bound):
                    text = base + settings + f'metric = "{metric}"\n{bound}\n'
                    self.refused("claim." + ("tolerance" if "0.5" in bound else bound.split()[0]), words, text=text)
        for metric in ("accuracy_mean:ratio", "bytes_wire:ratio", "test_loss"):
            config = self.write("plan.toml", base + settings + f'metric = "{metric}"\nat_least = 5\n')
            done = self.command("plan", config)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_of_sections_are_the_same_of_each_command(self):
        config = self.write("a.toml", toml(BASE) + '[sweeps]\n"algorithm.keep" = [0.1]\n[[claim]]\n')
        for command in ("table", "plan", "run"):
            done = self.command(command, config)
            self.assertEqual(done.returncode, 2)
            self.assertIn('unknown section "sweeps"; did you mean "sweep"?', done.stderr)
        done = self.command("table", self.write_table(SWEEP), "--set", "table.spread=ci95")
        self.assertEqual((done.returncode, done.stderr.strip()), (2, "--set table.spread=ci95: [table] is only set in the file"))

    def test_other_commands_name_the_one_for_tables(self):
        config = self.write_table(SWEEP)
        for command in (["run", config], ["topology", config]):
            done = self.command(*command)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"sparsepush table {config}", done.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["a.toml"])

    def test_keys_of_the_base_that_count_nowhere_are_named(self):
        base = BASE | {"data": BASE["data"] | {"alpha": 0.3}}
        self.table(self.write_table(GRID, base=base))
        self.assertIn("keys that count for no point: data.alpha", self.said.stderr)


if __name__ == "__main__":
    main()
