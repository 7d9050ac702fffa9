"""The program's configurations: reads those that it writes, and says values as it reads them."""

import json
import os
import re

from .errors import RunError, read_text

LINE = re.compile(r"\[(?P<section>\w+)\]|(?P<key>\w+) = (?P<value>.+)")


def read_config(path):
    """A configuration as the program writes it, nested by section: one value a line, in the syntax that TOML and JSON
    share. (Python has a reader of all of TOML since 3.11 only.)"""
    config, section = {}, None
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line)
        if match is None or (section is None and match["key"]):
            raise RunError(path, f"line {number}: expected what the program writes, got {line[:80]!r}")
        if match["section"]:
            section = config.setdefault(match["section"], {})
            continue
        try:
            section[match["key"]] = json.loads(match["value"])
        except ValueError as error:
            raise RunError(path, f"line {number}: expected a value, got {match['value'][:80]!r}") from error
    if not config:
        raise RunError(path, "is empty")
    return config


def to_text(value):
    """A value as the program reads it: bool, number, text, path, or a list of these, of Python or NumPy."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(to_text, value)) + "]"
    if not isinstance(value, (bool, int, float, str)):
        raise ValueError(f"expected a bool, number, text or list of these, got {value!r}")
    return json.dumps(value, ensure_ascii=False)
