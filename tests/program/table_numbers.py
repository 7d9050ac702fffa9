"""The numbers of a table's files once more, from the metrics.csv of its runs; nothing is shared with the program."""

import csv
import math


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text not in ("", "nan") else None


class Run:
    """A run's folder as a table reads it. `steps` are those of SGD; `reach` and `full_steps` as [table] has them."""

    def __init__(self, folder, steps, reach=None, full_steps=None):
        self.rows, self.steps, self.reach, self.full_steps = rows_of(folder / "metrics.csv"), steps, reach, full_steps
        before = last = 0.0
        seconds = {}
        for row in rows_of(folder / "timing.csv"):
            if float(row["seconds"]) < last:
                before += last
            last = float(row["seconds"])
            seconds[row["step"]] = before + last
        for row in self.rows:
            row["seconds"] = repr(seconds[row["step"]])

    def value(self, metric, when, replica):
        rows = [row for row in self.rows if row["replica"] == str(replica)]
        until = [row for row in rows if int(row["step"]) <= self.steps]
        trained = until[-1]
        if when == "last":
            return number(rows[-1][metric])
        if when == "trained":
            return number(trained[metric])
        if when == "best":
            best = max(rows, key=lambda row: float(row["accuracy_mean"]))  # the first of several
            return number(best[metric])
        if when == "reach":
            reached = [row for row in rows if float(row["accuracy_mean"]) >= self.reach]
            return number(reached[0][metric]) if reached else None
        if when == "full":
            sent = float(trained[metric])
            return sent * self.full_steps / self.steps + float(rows[-1][metric]) - sent
        values = [number(row[metric]) for row in until][-int(when[4:]):]
        return None if None in values else sum(values) / len(values)


def column_value(run, reference, column, replica):
    """A column of a table: METRIC[@WHEN][:RELATION] of `run`, with the run that `reference()` gives."""
    text, _, relation = column.partition(":")
    metric, _, when = text.partition("@")
    when = when or "last"
    own = run.value(metric, when, replica)
    if not relation:
        return own
    other = reference().value(metric, "trained" if (relation, when) == ("ratio", "last") else when, replica)
    if own is None or other is None or (relation == "ratio" and own == 0):
        return None
    return other - own if relation == "gap" else other / own


def mean_and_deviation(values):
    """None for both where a value is missing; no deviation of one value."""
    if None in values:
        return None, None
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def assert_number(test, text, expected, what):
    """`text` of a CSV file, %.9g, is `expected`; empty where that is None."""
    if expected is None:
        test.assertEqual(text, "", what)
    else:
        test.assertTrue(math.isclose(float(text), expected, rel_tol=2e-8, abs_tol=1e-12), (what, text, expected))
