"""Reads the CSV files of runs and tables."""

import csv
import io

import numpy as np

from .errors import RunError, read_text

COUNTS = {"replica", "step", "node", "messages", "syncs", "samples"}
COUNTS_BEGIN_WITH = ("bytes_", "class_")


def read_columns(path, expected):
    """The columns of a file of numbers that grows: counts as int64, others as float64 with NaN where one is empty.

    A last line without its end is still being written, or was torn by a crash, and does not count. `expected` are
    columns that the file must have.
    """
    text = read_text(path)
    header, _, body = text[: text.rfind("\n") + 1].partition("\n")
    names = header.split(",")
    if not set(expected) <= set(names):
        raise RunError(path, f"expected the columns {', '.join(expected)}, got {header[:80]!r}")
    lines = body.splitlines()
    for number, line in enumerate(lines, start=2):
        if line.count(",") != len(names) - 1:
            raise RunError(path, f"line {number}: expected {len(names)} values, got {line.count(',') + 1}")
    values = ",".join(lines).split(",") if lines else []
    return {name: _numbers(path, name, values[i :: len(names)]) for i, name in enumerate(names)}


def _numbers(path, name, texts):
    is_count = name in COUNTS or name.startswith(COUNTS_BEGIN_WITH)
    try:
        if is_count:
            return np.array([int(text) for text in texts], np.int64)
        return np.array([float(text) if text else np.nan for text in texts], np.float64)
    except (ValueError, OverflowError) as error:
        raise RunError(path, f'column "{name}": {error}') from error


def read_rows(path, texts, expected):
    """The lines of a table's file as dicts: numbers as numbers, true and false as bools, None where nothing stands.

    `texts` are columns that stay as they are, `expected` those that the file must have.
    """
    lines = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        names = next(lines, [])
        if not set(expected) <= set(names):
            raise RunError(path, f"expected the columns {', '.join(expected)}, got {','.join(names)[:80]!r}")
        rows = []
        for line in lines:
            if len(line) != len(names):
                raise RunError(path, f"line {lines.line_num}: expected {len(names)} values, got {len(line)}")
            rows.append({name: text if name in texts else value_of(text) for name, text in zip(names, line)})
        return rows
    except csv.Error as error:
        raise RunError(path, f"line {lines.line_num}: {error}") from error


def value_of(text):
    """What a text means: a number, a bool, None if it is empty, else itself."""
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    for number in (int, float):
        try:
            return number(text) if "_" not in text else text
        except ValueError:
            pass
    return text
