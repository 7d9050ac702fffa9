"""Runs the program."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config_files import to_text
from .results import Run, load


def run(
    config: str | os.PathLike | Mapping[str, Mapping[str, Any]],
    *,
    out: str | os.PathLike | None = None,
    set: Mapping[str, Any] | None = None,
    program: str | os.PathLike | None = None,
) -> Run:
    """Trains as `sparsepush run` does, and returns the run.

    config: path of a configuration, or a dict nested by section. out: the new folder; by default, with a path, what the
    program takes. set: {"section.key": value} instead of the configuration's. program: path of the program; by default
    the one that is found as `sparsepush`. ValueError, with what the program says, if it refuses the configuration or
    the folder; RuntimeError if the run fails or diverges: load(out) has what it left. Ctrl-C stops the run after a
    checkpoint.
    """
    settings = {}
    if isinstance(config, Mapping):
        if out is None:
            raise ValueError("out: expected a folder: a configuration that is a dict has no name")
        settings, config = _flat(config), os.devnull
    settings |= set or {}
    out = Path("runs") / Path(config).stem if out is None else Path(out)
    command = [_find(program), "run", str(config), "--out", str(out), "--quiet"]
    for key, value in settings.items():
        command += ["--set", f"{key}={to_text(value)}"]
    code, errors = _finish(command)
    if code != 0:
        raise (ValueError if code == 2 else RuntimeError)(errors.strip() or f"{command[0]} ended with {code}")
    return load(out)


def _flat(config):
    for section, keys in config.items():
        if not isinstance(keys, Mapping):
            raise ValueError(f'config: expected {{"section": {{"key": value}}}}, got {keys!r} for "{section}"')
    return {f"{section}.{key}": value for section, keys in config.items() for key, value in keys.items()}


def _find(program):
    if program is not None:
        return str(program)
    beside = Path(sys.executable).parent  # that of an environment that is not activated
    found = shutil.which("sparsepush") or shutil.which("sparsepush", path=beside)
    if found is None:
        raise FileNotFoundError("no program sparsepush on the path; name it: program=\".../build/cpu/sparsepush\"")
    return found


def _finish(command):
    """Exit code of a command, and what it said. It is in a session of its own, so that Ctrl-C reaches it once."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, errors="replace", start_new_session=True, **pipes) as process:
        try:
            _, errors = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # it saves first
            process.communicate()
            raise
    return process.returncode, errors
