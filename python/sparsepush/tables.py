"""What `sparsepush table` has left in its folder."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .csv_files import read_rows
from .errors import RunError, need
from .results import Run

if TYPE_CHECKING:
    import pandas

# Columns of words: names may look like numbers.
WORDS = {"name", "id", "status", "folder", "claim", "row", "metric", "relation", "verdict", "clear", "source"}


class Table:
    """A table: its rows, the replicas behind them, its claims and its runs."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not (self.path / "table.csv").is_file():
            raise RunError(self.path / "table.csv", "no such file; expected the folder of a table")

    def __repr__(self):
        return f"<sparsepush.Table {self.path}>"

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Lines of table.csv as dicts: name, swept keys, status, n, and each column with its spread."""
        return self._read("table.csv", ["name", "status", "n"])

    @cached_property
    def replicas(self) -> list[dict[str, Any]]:
        """Lines of replicas.csv, one for each replica of each row."""
        return self._read("replicas.csv", ["name", "replica", "seed", "status", "folder"])

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        """Lines of claims.csv, with their verdicts."""
        return self._read("claims.csv", ["claim", "row", "metric", "verdict"])

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas.DataFrame with the index name."""
        return need("pandas", "frame()").DataFrame(self.rows).set_index("name")

    def runs(self) -> dict[str, Run]:
        """The runs of all points that have been begun, by name, in the order of the table."""
        found = {}
        for point in self._read("points.csv", ["name", "folder"]):
            folder = self.path / point["folder"]
            if point["folder"] and (folder / "config.toml").is_file():
                found[point["name"]] = Run(folder)
        return found

    def _read(self, name, expected):
        return read_rows(self.path / name, WORDS, expected)


def load_table(path: str | os.PathLike) -> Table:
    """The table in the folder `path`. RunError if it is none."""
    return Table(path)
