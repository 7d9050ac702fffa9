"""What is raised about files, and about packages that are not installed."""

import importlib


class RunError(ValueError):
    """A file of a run or a table that is missing, damaged or foreign; the message begins with its path."""

    def __init__(self, path, what):
        super().__init__(f"{path}: {what}")
        self.path = path


def need(package, caller):
    """Imports what `caller` needs beside NumPy."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise ImportError(f"{caller} needs {name}, which cannot be imported here: {error}", name=name) from error


def read_text(path):
    """The text of a file that has to be there."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RunError(path, "is not text in UTF-8") from error
    except FileNotFoundError as error:
        raise RunError(path, "no such file") from error
    except OSError as error:
        raise RunError(path, f"cannot be read: {error.strerror}") from error
