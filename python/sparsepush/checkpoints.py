"""The state of all nodes at a checkpoint, and the models that it holds."""

import json
import math

import numpy as np

from .errors import RunError
from .safetensors import read_safetensors

# Running sums of the measures: no state of nodes.
SUMS = {"step", "train_loss_sum", "train_loss_steps", "bytes_wire", "traffic"}


class Checkpoint:
    """A mapped checkpoint.safetensors of `nodes` nodes in each of `replicas` replicas."""

    def __init__(self, path, nodes, replicas):
        self.path, self.nodes, self.replicas = path, nodes, replicas
        self.tensors, metadata = read_safetensors(path)
        self._expect("x", np.float32, 2)
        self._expect("u", np.float64, 1)
        self.parameters = self._table(metadata, "parameters", self.tensors["x"].shape[1])
        self.statistics = []
        if "statistics" in self.tensors:
            self._expect("statistics", np.float32, 2)
            self.statistics = self._table(metadata, "statistics", self.tensors["statistics"].shape[1])
        if "block_u" in self.tensors:
            self._expect("block_u", np.float64, 1, 2)

    def _expect(self, name, dtype, *dimensions):
        """Refuses a tensor that is missing, or has no row for each node."""
        tensor, rows = self.tensors.get(name), self.nodes * self.replicas
        if tensor is None or tensor.dtype != dtype or tensor.ndim not in dimensions or len(tensor) != rows:
            what = f"{np.dtype(dtype).name} with a row for each of {rows} nodes, as config.toml says"
            raise RunError(self.path, f'expected a tensor "{name}" of {what}')

    def _table(self, metadata, key, size):
        """Name, shape and place of tensors that follow one another in a row of `size` elements."""
        try:
            table = [(entry["name"], tuple(entry["shape"]), entry["offset"]) for entry in json.loads(metadata[key])]
            ends = [offset + math.prod(shape) for _, shape, offset in table]
            if [0, *ends] != [offset for _, _, offset in table] + [size]:
                raise ValueError("tensors do not follow one another")
            if not all(type(name) is str and all(type(n) is int for n in shape) for name, shape, _ in table):
                raise ValueError("names are texts, sizes integers")
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(self.path, f'no list "{key}" in its metadata that fits its tensors') from error
        return [(name, shape, slice(offset, end)) for (name, shape, offset), end in zip(table, ends)]

    def state(self, replica):
        """Arrays of a replica by name: its nodes' rows, the one row that it has in arrays a replica, or all of an array
        of the run."""
        places = {
            (self.replicas,): replica,
            (self.nodes * self.replicas,): slice(replica * self.nodes, (replica + 1) * self.nodes),
        }
        return {
            name: tensor[places.get(tensor.shape[:1], ...)]
            for name, tensor in self.tensors.items()
            if name not in SUMS
        }

    def z(self, node, replica):
        """The model of a node [d]: x * float32(1 / u), as the program rounds it."""
        state = self.state(replica)
        z = state["x"][node] * np.float32(1 / state["u"][node])
        for block, weights in self._blocks(state, len(z)):
            z[block] *= np.float32(1 / weights[node])
        return z

    def mean(self, replica):
        """The mean model [d]: sum x / sum u, sums in double and in node order, as the program takes them."""
        state = self.state(replica)
        mean = np.add.reduce(state["x"], axis=0, dtype=np.float64)
        blocks = list(self._blocks(state, len(mean))) or [(slice(None), state["u"])]
        for block, weights in blocks:
            mean[block] /= np.cumsum(weights)[-1]  # in order; sum() would add pairs of pairs
        return mean.astype(np.float32)

    def _blocks(self, state, params):
        """Ranges of parameters that were mixed one at a time, with the push-sum weights [nodes] that each has."""
        weights = state.get("block_u", np.empty((self.nodes, 0))).reshape(self.nodes, -1)
        count = weights.shape[1]
        for block in range(count):
            yield slice(block * params // count, (block + 1) * params // count), weights[:, block]

    def node_statistics(self, node, replica):
        """Running statistics of a node [columns], without any where the model has none."""
        return self.state(replica)["statistics"][node].copy() if self.statistics else None

    def mean_statistics(self, replica):
        """Their mean over the nodes, taken in double."""
        if not self.statistics:
            return None
        statistics = self.state(replica)["statistics"]
        return (np.add.reduce(statistics, axis=0, dtype=np.float64) / self.nodes).astype(np.float32)

    def state_dict(self, row, statistics):
        """Tensors by PyTorch's names, in its order: a layer's running statistics follow its parameters."""
        tensors, of_layer = {}, {}
        for name, shape, place in self.statistics:
            of_layer.setdefault(name.rpartition(".")[0], {})[name] = statistics[place].reshape(shape)
        layers = [name.rpartition(".")[0] for name, _, _ in self.parameters]
        for (name, shape, place), layer, next_layer in zip(self.parameters, layers, layers[1:] + [None]):
            tensors[name] = row[place].reshape(shape)
            if layer != next_layer:
                tensors |= of_layer.get(layer, {})
        return tensors
