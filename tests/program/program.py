"""Running the program, and reading and writing the files it shares with its users."""

import csv
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}
METRICS_HEADER = (
    "replica,step,epoch,lr,train_loss,test_loss,loss_mean_model,accuracy_mean,accuracy_min,accuracy_max,"
    "accuracy_mean_model,consensus,u_sum,u_min,u_max,error_ratio,messages,bytes_authors,bytes_coo32,bytes_wire,"
    "bytes_dense"
)


def safetensors_bytes(tensors, metadata=None):
    """A safetensors file with the arrays of the dict `tensors`, in its order."""
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, array in tensors.items():
        dtype = next(key for key, value in DTYPES.items() if np.dtype(value) == array.dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in tensors.values())


def read_safetensors(path):
    """The tensors of a file by name, and its metadata."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, info in header.items():
        begin, end = (8 + size + offset for offset in info["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], DTYPES[info["dtype"]]).reshape(info["shape"])
    return tensors, metadata


def read_metrics(folder):
    """The lines of metrics.csv as dicts of strings."""
    with open(Path(folder) / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def markdown_table(text):
    """The lines of the table that `text` begins with, as lists of texts without escapes; the first is its head."""
    lines = text.split("\n\n")[0].splitlines()
    cells = [re.findall(r"((?:\\.|[^\\|])*)\|", line[1:]) for line in (lines[0], *lines[2:])]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line] for line in cells]


def toml(sections):
    """Nested dicts {section: {key: value}} as TOML."""
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]  # JSON's scalars and lists are TOML
    return "\n".join(lines) + "\n"


def quadratic(nodes, sizes, seed=0, pull=1.0):
    """A problem of data.name = "quadratic" with segments of `sizes` elements; pull = 0: pure gossip."""
    random = np.random.default_rng(seed)
    shape = (nodes, sum(sizes))
    return {
        "curvature": (pull * random.uniform(0.1, 1.5, shape)).astype("<f4"),
        "target": random.normal(size=shape).astype("<f4"),
        "start": random.normal(size=shape).astype("<f4"),
        "segments": np.array(sizes, "<i8"),
    }


class ProgramTest(unittest.TestCase):
    """A test with a temporary folder `self.folder` that runs the program."""

    program = None
    timeout = 120  # seconds that a command may take

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sparsepush_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, content):
        """Writes text, bytes, or the tensors of a dict, and returns the path."""
        path = self.folder / name
        if isinstance(content, dict):
            content = safetensors_bytes(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_config(self, sections, name="experiment.toml"):
        return self.write(name, toml(sections))

    def command(self, *arguments, **options):
        """The finished program; options go to subprocess.run."""
        return subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder, capture_output=True, text=True, timeout=self.timeout, **options,
        )

    def run_ok(self, config, out, *arguments):
        """Runs `config` into the folder `out`, which must succeed, and returns the folder's path."""
        done = self.command("run", config, "--out", self.folder / out, "--quiet", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out

    def assert_same_results(self, first, second):
        """checkpoint.safetensors and metrics.csv are the same bytes."""
        self.assertEqual((first / "metrics.csv").read_text(), (second / "metrics.csv").read_text())
        if (first / "checkpoint.safetensors").read_bytes() != (second / "checkpoint.safetensors").read_bytes():
            tensors, metadata = read_safetensors(first / "checkpoint.safetensors")
            others, other_metadata = read_safetensors(second / "checkpoint.safetensors")
            self.assertEqual(metadata, other_metadata)
            different = [name for name in tensors if tensors[name].tobytes() != others[name].tobytes()]
            self.fail(f"checkpoints of {first.name} and {second.name} differ in {different}")


def main():
    """For `python3 tests/program/NAME_test.py PROGRAM [unittest's arguments]`."""
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PROGRAM [unittest's arguments]")
    ProgramTest.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
