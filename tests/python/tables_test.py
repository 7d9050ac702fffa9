"""Folders of tables."""

import csv

from reading import ReaderTest, main, needs

import sparsepush

SECTIONS = {"run": {"nodes": 3, "steps": 8}, "model": {"hidden": [4]}, "evaluate": {"every_steps": 8}}
FILES = {
    "points.csv": '''\
name,id,launch,status,steps_done,steps,seconds,folder,algorithm.name,algorithm.keep
"Sparse-Push, keep=0.1",00123456,0,finished,8,8,0.5,points/a,sparse_push,0.1
SGP,1e234567,1,waiting,0,8,,,sgp,
''',
    "replicas.csv": '''\
name,algorithm.name,algorithm.keep,replica,seed,status,folder,accuracy_mean,bytes_wire
"Sparse-Push, keep=0.1",sparse_push,0.1,0,1,finished,points/a,0.25,1200
SGP,sgp,,0,1,waiting,,,
''',
    "table.csv": '''\
name,algorithm.name,algorithm.keep,status,n,accuracy_mean,accuracy_mean_sd,bytes_wire,bytes_wire_sd
"Sparse-Push, keep=0.1",sparse_push,0.1,finished,1,0.25,,1200,
SGP,sgp,,waiting,0,,,,
''',
    "claims.csv": '''\
claim,row,metric,value,sd,n,relation,bound,tolerance,judged,verdict,clear,source
"one point, at ""1 %""","Sparse-Push, keep=0.1",accuracy_mean:gap,-1.5e-3,,1,at_most,0.01,0,true,pass,,abstract
466,SGP,bytes_wire:ratio,,,0,at_least,466,0,false,missing,,no
''',
}


class Tables(ReaderTest):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "table"
        self.path.mkdir()
        for name, text in FILES.items():
            (self.path / name).write_text(text)

    def test_numbers_are_numbers_and_names_are_not(self):
        table = sparsepush.load_table(self.path)
        first, second = table.rows
        self.assertEqual(first, {"name": "Sparse-Push, keep=0.1", "algorithm.name": "sparse_push",
                                 "algorithm.keep": 0.1, "status": "finished", "n": 1, "accuracy_mean": 0.25,
                                 "accuracy_mean_sd": None, "bytes_wire": 1200, "bytes_wire_sd": None})
        self.assertEqual((second["status"], second["accuracy_mean"]), ("waiting", None))
        self.assertIsInstance(first["bytes_wire"], int)
        self.assertEqual([row["seed"] for row in table.replicas], [1, 1])
        claim, other = table.claims
        self.assertEqual((claim["claim"], claim["value"], claim["judged"]), ('one point, at "1 %"', -1.5e-3, True))
        self.assertEqual((other["claim"], other["judged"], other["verdict"]), ("466", False, "missing"))

    @needs("pandas")
    def test_frame_has_a_row_for_each_row(self):
        frame = sparsepush.load_table(self.path).frame()
        self.assertEqual(frame.loc["Sparse-Push, keep=0.1", "bytes_wire"], 1200)
        self.assertEqual(len(frame), 2)

    def test_runs_are_those_of_points_that_have_begun(self):
        run = self.train("table/points/a", SECTIONS)
        found = sparsepush.load_table(self.path).runs()
        self.assertEqual(list(found), ["Sparse-Push, keep=0.1"])
        self.assertEqual(found["Sparse-Push, keep=0.1"].path, run.path)
        self.assertEqual([each.path for each in sparsepush.runs(self.path)], [run.path])

    def test_files_that_are_wrong_are_named(self):
        cases = {
            "table.csv": ("rows", "name,n\nSGP,1\n"),
            "replicas.csv": ("replicas", FILES["replicas.csv"].replace("SGP,sgp,,", "SGP,sgp,")),
            "claims.csv": ("claims", FILES["claims.csv"] + '"no end'),
            "points.csv": ("runs", ""),
        }
        for name, (read, text) in cases.items():
            with self.subTest(name):
                (self.path / name).write_text(text)
                table = sparsepush.load_table(self.path)
                with self.assertRaises(sparsepush.RunError) as caught:
                    table.runs() if read == "runs" else getattr(table, read)
                self.assertTrue(str(caught.exception).startswith(f"{self.path / name}: "), caught.exception)
        (self.path / "table.csv").unlink()
        with self.assertRaisesRegex(sparsepush.RunError, "expected the folder of a table"):
            sparsepush.load_table(self.path)

    def test_values_that_a_reader_of_csv_writes_differently(self):
        with open(self.path / "table.csv", "w", newline="") as file:
            csv.writer(file).writerows([["name", "status", "n", "optimizer.milestones", "topology.name"],
                                        ["a\nb", "finished", 3, "[100, 150]", "1_000"]])
        (row,) = sparsepush.load_table(self.path).rows
        self.assertEqual(row, {"name": "a\nb", "status": "finished", "n": 3, "optimizer.milestones": "[100, 150]",
                               "topology.name": "1_000"})


if __name__ == "__main__":
    main()
