"""Tables under bench/results are those of the runs beside them: every number is computed again from metrics.csv."""

import math
import re
import tomllib
import unittest
from pathlib import Path

from program import main
from table_numbers import Run, assert_number, column_value, mean_and_deviation, rows_of

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_COLUMNS = ["accuracy_mean", "accuracy_mean_model", "consensus", "bytes_wire"]
BOUNDS = {"at_most": lambda v, b, t: v <= b + t, "at_least": lambda v, b, t: v >= b - t,
          "near": lambda v, b, t: abs(v - b) <= t}


class Table:
    """What the files of a folder say."""

    def __init__(self, folder):
        self.folder = folder
        self.file = tomllib.loads((folder / "table.toml").read_text())
        settings = self.file.get("table", {})
        self.columns = settings.get("columns", DEFAULT_COLUMNS)
        self.rows, self.replicas = rows_of(folder / "table.csv"), rows_of(folder / "replicas.csv")
        keys = list(self.rows[0])
        self.keys = keys[1:keys.index("status")]
        self.runs = {}
        for path in {replica["folder"] for replica in self.replicas if replica["status"] == "finished"}:
            run = tomllib.loads((folder / path / "config.toml").read_text())["run"]
            trained = [row for row in rows_of(folder / path / "metrics.csv") if int(row["step"]) <= run["steps"]]
            self.runs[path] = Run(folder / path, int(trained[-1]["step"]), settings.get("reach"), settings.get("full_steps"))
        reference = settings.get("reference")
        self.reference = {"name": reference} if isinstance(reference, str) else reference

    def chosen(self, rows, pattern, beside=None):
        """Of `rows` those that a pattern of [table] or [[claim]] chooses, beside another row."""
        def fits(row):
            swept = sum(row[key] != "" for key in self.keys)  # whose values stand behind the name
            if pattern.get("name") not in (None, row["name"].rsplit(", ", swept)[0]):
                return False
            for key in self.keys:
                if key in pattern:
                    if float_or_text(row[key]) != pattern[key]:
                        return False
                elif beside is not None and "" not in (row[key], beside[key]) and row[key] != beside[key]:
                    return False
            return True
        return [row for row in rows if fits(row)]

    def finished(self, rows):
        return [row for row in rows if row["status"] == "finished"]

    def value(self, replica, column):
        def reference():
            (other,) = self.chosen([r for r in self.replicas if r["replica"] == replica["replica"]], self.reference, replica)
            return self.runs[other["folder"]]
        return column_value(self.runs[replica["folder"]], reference, column, int(replica["replica"]))


def float_or_text(text):
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


class Results(unittest.TestCase):
    def tables(self):
        return [Table(path.parent) for path in sorted((ROOT / "bench" / "results").glob("*/table.toml"))]

    def test_there_are_some(self):
        self.assertGreaterEqual(len(self.tables()), 2)

    def test_numbers_are_those_of_the_runs(self):
        counted = 0
        for table in self.tables():
            for replica in table.finished(table.replicas):
                for column in table.columns:
                    assert_number(self, replica[column], table.value(replica, column), (replica["name"], column))
            for row in table.rows:
                own = [replica for replica in table.finished(table.replicas) if replica["name"] == row["name"]]
                self.assertEqual(row["n"], str(len(own)))
                if not own:
                    continue
                for column in table.columns:
                    mean, sd = mean_and_deviation([table.value(replica, column) for replica in own])
                    assert_number(self, row[column], mean, (row["name"], column))
                    if sd is None or sd > 1e-6 * abs(mean):
                        assert_number(self, row[column + "_sd"], sd, (row["name"], column))
                    counted += mean is not None
        self.assertGreater(counted, 100)

    def test_pages_show_these_numbers(self):
        for table in self.tables():
            pages = (table.folder / "table.md").read_text(), (table.folder / "table.tex").read_text()
            for row in table.rows:
                for column in table.columns:
                    metric, _, relation = column.partition(":")
                    if row[column] and relation != "ratio" and metric.startswith("accuracy"):
                        for page in pages:
                            self.assertIn(f"{100 * float(row[column]):.1f}", page, (row["name"], column))

    def test_claims_are_judged_by_these_numbers(self):
        for table in self.tables():
            judged = rows_of(table.folder / "claims.csv")
            for claim in table.file.get("claim", []):
                (relation,) = BOUNDS.keys() & claim.keys()
                rows = table.chosen(table.rows, claim.get("row", {}))
                verdicts = [row for row in judged if row["claim"] == claim["name"]]
                self.assertEqual([row["row"] for row in verdicts], [row["name"] for row in rows], claim)
                for row, verdict in zip(rows, verdicts):
                    own = [replica for replica in table.replicas if replica["name"] == row["name"]]
                    mean, _ = mean_and_deviation([table.value(replica, claim["metric"]) for replica in own])
                    assert_number(self, verdict["value"], mean, (claim["name"], row["name"]))
                    holds = BOUNDS[relation](mean, claim[relation], claim.get("tolerance", 0))
                    self.assertEqual(verdict["verdict"], "pass" if holds else "fail", (claim["name"], row["name"]))

    def test_each_is_that_of_a_file_of_the_project(self):
        for table in self.tables():
            files = [path for path in (ROOT / "bench" / "paper").glob("*.toml") if path.stem == table.folder.name]
            self.assertEqual(len(files), 1)
            self.assertEqual(tomllib.loads(files[0].read_text()), table.file)


if __name__ == "__main__":
    main()
