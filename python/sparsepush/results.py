"""What a run has left in its folder."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .checkpoints import Checkpoint
from .config_files import read_config
from .csv_files import read_columns
from .errors import RunError, need, read_text

if TYPE_CHECKING:
    import pandas
    import torch

try:
    import fcntl
except ImportError:  # folders are read on any system, runs are made on POSIX only
    fcntl = None

Framework = Literal["numpy", "torch"]


class Run:
    """The results of one run. Files are read when they are first asked for, and then kept: load it again to see more
    of a run that is still going on."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        config = self.path / "config.toml"
        if not config.is_file():
            raise RunError(config, "no such file; expected the folder of a run")

    def __repr__(self):
        return f"<sparsepush.Run {self.path}: {self.status}>"

    @property
    def status(self) -> str:
        """finished, diverged, failed or interrupted, as the program says at the end of a run; running while it has the
        folder; failed where it was killed; damaged where configuration, metrics or summary cannot be read."""
        if _is_in_use(self.path / ".lock"):
            return "running"
        try:
            *_, summary = self.config, self.metrics, self.summary  # each can be damaged
        except RunError:
            return "damaged"
        return summary.get("status", "failed")

    @cached_property
    def config(self) -> dict[str, dict[str, Any]]:
        """The configuration as resolved, nested by section: run.config["run"]["nodes"]."""
        return read_config(self.path / "config.toml")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json, the end of the run; empty while it has none."""
        path = self.path / "summary.json"
        if not path.exists():
            return {}
        text = read_text(path)
        try:
            summary = json.loads(text)
        except ValueError as error:
            raise RunError(path, "is not valid JSON") from error
        if not isinstance(summary, dict):
            raise RunError(path, "expected a JSON object")
        return summary

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """Columns of metrics.csv, a value for each replica and evaluation."""
        return read_columns(self.path / "metrics.csv", ["replica", "step", "test_loss", "accuracy_mean"])

    @cached_property
    def nodes(self) -> dict[str, np.ndarray]:
        """Columns of nodes.csv: replica, step, node, loss and accuracy of every tested node at every evaluation."""
        return read_columns(self.path / "nodes.csv", ["replica", "step", "node", "loss", "accuracy"])

    @cached_property
    def seconds(self) -> np.ndarray:
        """Seconds of the run until each row of the metrics, over all parts of one that was resumed."""
        timing = read_columns(self.path / "timing.csv", ["step", "seconds"])
        of_part, before = timing["seconds"], 0.0  # which begins at 0
        until = {}
        for step, now, last in zip(timing["step"].tolist(), of_part, [0.0, *of_part]):
            before += last if now < last else 0.0
            until[step] = before + now
        return np.array([until.get(step, np.nan) for step in self.metrics["step"].tolist()])

    @cached_property
    def partition(self) -> np.ndarray | None:
        """Training samples of each class that a node has, int64 [replicas, nodes, classes]; None where there are no
        classes."""
        path = self.path / "partition.csv"
        if not path.exists():
            return None
        columns = read_columns(path, ["replica", "node"])
        nodes, replicas = self._nodes, self._replicas
        if columns["node"].tolist() != list(range(nodes)) * replicas:
            raise RunError(path, f"expected a line for each of {nodes} nodes of {replicas} replicas, in order")
        counts = [column for name, column in columns.items() if name.startswith("class_")]
        return np.array(counts, np.int64).reshape(len(counts), replicas, nodes).transpose(1, 2, 0)

    def frame(self) -> pandas.DataFrame:
        """The metrics and seconds as a pandas.DataFrame with the index (replica, step)."""
        return need("pandas", "frame()").DataFrame(self.metrics | {"seconds": self.seconds}).set_index(["replica", "step"])

    def state(self, replica: int = 0) -> dict[str, np.ndarray]:
        """The checkpoint's arrays by name, such as x and momentum [nodes, d] and u [nodes]: read-only views of the
        file."""
        return self._checkpoint.state(self._checked("replica", replica, self._replicas))

    def node_state_dict(
        self, node: int, replica: int = 0, framework: Framework = "numpy"
    ) -> dict[str, np.ndarray] | dict[str, torch.Tensor]:
        """Parameters of a node at z = x / u, and its running statistics, by the names of PyTorch and in its order;
        framework = "torch": as tensors."""
        checkpoint = self._checkpoint
        place = self._checked("node", node, self._nodes), self._checked("replica", replica, self._replicas)
        return _of_framework(framework, checkpoint.state_dict(checkpoint.z(*place), checkpoint.node_statistics(*place)))

    def mean_state_dict(
        self, replica: int = 0, framework: Framework = "numpy"
    ) -> dict[str, np.ndarray] | dict[str, torch.Tensor]:
        """The same of the mean model: sum x / sum u, and the mean of the nodes' running statistics."""
        checkpoint = self._checkpoint
        self._checked("replica", replica, self._replicas)
        tensors = checkpoint.state_dict(checkpoint.mean(replica), checkpoint.mean_statistics(replica))
        return _of_framework(framework, tensors)

    def torch_model(self, node: int | None = None, replica: int = 0) -> torch.nn.Module:
        """The model of a node, or the mean model, as a torch.nn.Module in eval mode. Its input is normalized as the
        program does it: floats [samples, features], or images [samples, channels, height, width]."""
        need("torch", "torch_model()")
        from .torch_networks import make_network  # it subclasses what PyTorch has

        state = self.mean_state_dict(replica) if node is None else self.node_state_dict(node, replica)
        network = make_network(self.config.get("model", {}), {name: array.shape for name, array in state.items()})
        network.load_state_dict(_of_framework("torch", state))
        return network.eval()

    @cached_property
    def _checkpoint(self):
        return Checkpoint(self.path / "checkpoint.safetensors", self._nodes, self._replicas)

    @property
    def _nodes(self):
        return self._size("nodes")

    @property
    def _replicas(self):
        return self._size("replicas")

    def _size(self, key):
        size = self.config.get("run", {}).get(key)
        if type(size) is not int or size < 1:
            raise RunError(self.path / "config.toml", f"expected run.{key} = 1 or more, got {size!r}")
        return size

    @staticmethod
    def _checked(what, index, count):
        if not 0 <= index < count:
            raise IndexError(f"{what} {index} of {count}, counted from 0")
        return index


def load(path: str | os.PathLike) -> Run:
    """The run in the folder `path`. RunError if it is none."""
    return Run(path)


def runs(path: str | os.PathLike) -> list[Run]:
    """Every run in or below the folder `path`, by path."""
    path = Path(path)
    if not path.is_dir():
        raise RunError(path, "no such folder")
    found = []
    for folder, below, files in os.walk(path):
        if "config.toml" in files:
            found.append(Run(folder))
            below.clear()  # what a run has below is its own
    return sorted(found, key=lambda run: run.path)


def _of_framework(framework, tensors):
    if framework == "numpy":
        return tensors
    if framework != "torch":
        raise ValueError(f'framework: expected "numpy" or "torch", got {framework!r}')
    torch = need("torch", 'framework="torch"')
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def _is_in_use(lock):
    """Whether a process that runs has the folder's lock."""
    if fcntl is None:
        return False
    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock, or nothing that can have one
        pass
    return False
