"""States and models from checkpoints: views of the file, the program's own arithmetic, damaged files refused."""

import json
import struct

import numpy as np

from reading import ReaderTest, main, needs
from program import quadratic, read_safetensors, safetensors_bytes

import sparsepush

SECTIONS = {
    "run": {"nodes": 5, "replicas": 2, "steps": 12},
    "model": {"hidden": [6]},
    "topology": {"name": "random_out", "degree": 2},
    "algorithm": {"name": "sparse_push", "keep": 0.2},
    "evaluate": {"every_steps": 12, "samples": 20},
}
RESNET = {
    "run": {"nodes": 3, "steps": 3},
    "data": {"batch": 4},
    "model": {"name": "resnet20", "norm": "batch"},
    "topology": {"name": "random_out", "degree": 1},
    "algorithm": {"name": "sgp"},
    "evaluate": {"every_steps": 3, "samples": 10},
}


class Checkpoints(ReaderTest):
    def test_state_has_the_rows_of_a_replica(self):
        run = self.train("a", SECTIONS)
        tensors, _ = read_safetensors(run.path / "checkpoint.safetensors")
        for replica in (0, 1):
            state = run.state(replica)
            self.assertEqual(set(state), {"x", "momentum", "u", "error"})
            for name, array in state.items():
                np.testing.assert_array_equal(array, tensors[name][5 * replica : 5 * replica + 5], name)
        self.assertGreater(np.ptp(run.state()["u"]), 0.01)  # else push-sum weights are not tested below

    def test_arrays_a_replica_have_its_row(self):
        sections = SECTIONS | {"algorithm": {"name": "fda", "threshold": 0.5}}
        run = self.train("a", sections)
        tensors, _ = read_safetensors(run.path / "checkpoint.safetensors")
        state = run.state(1)
        np.testing.assert_array_equal(state["reference"], tensors["reference"][1])
        self.assertEqual((state["x"].shape[1:], state["syncs"]), (state["reference"].shape, tensors["syncs"][1]))

    def test_state_is_a_read_only_view_of_the_mapped_file(self):
        run = self.train("a", SECTIONS)
        x = run.state()["x"]
        with self.assertRaises(ValueError):
            x[0, 0] = 1
        with self.assertRaises(ValueError):
            x.flags.writeable = True
        self.assertTrue(np.shares_memory(x, run.state()["x"]))
        before = x.copy()
        # A checkpoint that the program puts in its place leaves this one as it is.
        other = self.folder / "other"
        other.write_bytes((run.path / "checkpoint.safetensors").read_bytes()[::-1])
        other.rename(run.path / "checkpoint.safetensors")
        np.testing.assert_array_equal(x, before)

    def assert_models_are_the_programs(self, run, sections):
        """A run that starts at the nodes' models and does nothing else has them as its x."""
        sections = sections | {"run": sections["run"] | {"steps": 1, "start": str(run.path / "checkpoint.safetensors")}}
        started = self.train("started", sections | {"algorithm": {"name": "none"}, "optimizer": {"lr": 0.0}})
        for replica in range(sections["run"].get("replicas", 1)):
            for node, x in enumerate(started.state(replica)["x"]):
                tensors = run.node_state_dict(node, replica)
                z = [array.ravel() for name, array in tensors.items() if ".running_" not in name]
                self.assertEqual(np.concatenate(z).tobytes(), x.tobytes())

    def test_models_of_nodes_are_the_bits_that_the_program_takes(self):
        self.assert_models_are_the_programs(self.train("a", SECTIONS), SECTIONS)

    def test_models_that_were_mixed_by_blocks(self):
        sections = SECTIONS | {"algorithm": {"name": "shared_block", "blocks": 3}}
        run = self.train("a", sections)
        self.assertGreater(np.ptp(run.state()["block_u"]), 0.01)
        self.assert_models_are_the_programs(run, sections)
        state = run.state(1)
        params = state["x"].shape[1]
        mean = run.mean_state_dict(1)
        mean = np.concatenate([array.ravel() for array in mean.values()])
        for block in range(3):
            part = slice(block * params // 3, (block + 1) * params // 3)
            expected = state["x"][:, part].astype("f8").sum(0) / state["block_u"][:, block].sum()
            np.testing.assert_allclose(mean[part], expected, rtol=1e-6)

    def test_the_mean_model_is_summed_in_double_and_in_order(self):
        run = self.train("a", SECTIONS)
        state = run.state(1)
        sums, weight = [0.0] * state["x"].shape[1], 0.0
        for x, u in zip(state["x"].tolist(), state["u"].tolist()):
            sums = [s + value for s, value in zip(sums, x)]
            weight += u
        expected = np.array([s / weight for s in sums], np.float32)
        mean = run.mean_state_dict(replica=1)
        self.assertEqual(np.concatenate([array.ravel() for array in mean.values()]).tobytes(), expected.tobytes())

    def test_running_statistics_follow_the_parameters_of_their_layer(self):
        run = self.train("a", RESNET)
        tensors, metadata = read_safetensors(run.path / "checkpoint.safetensors")
        model = run.node_state_dict(2)
        names = [f"bn1.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")]
        self.assertEqual(list(model)[:6], ["conv1.weight", *names, "layer1.0.conv1.weight"])
        mean = run.mean_state_dict()
        for entry in json.loads(metadata["statistics"]):
            columns = slice(entry["offset"], entry["offset"] + entry["shape"][0])
            np.testing.assert_array_equal(model[entry["name"]], tensors["statistics"][2, columns])
            expected = tensors["statistics"][:, columns].astype("f8").sum(0) / 3
            np.testing.assert_array_equal(mean[entry["name"]], expected.astype("f4"))

    @needs("torch")
    def test_tensors_have_the_values_of_arrays_and_memory_of_their_own(self):
        import torch

        run = self.train("a", RESNET)
        arrays, tensors = run.node_state_dict(1), run.node_state_dict(1, framework="torch")
        self.assertEqual(list(arrays), list(tensors))
        for name, tensor in tensors.items():
            self.assertEqual(tensor.dtype, torch.float32)
            np.testing.assert_array_equal(tensor.numpy(), arrays[name])
            tensor += 1
        again = run.node_state_dict(1)
        for name, array in arrays.items():
            np.testing.assert_array_equal(again[name], array)
            array += 1
        with self.assertRaisesRegex(ValueError, "jax"):
            run.node_state_dict(0, framework="jax")

    def test_nodes_and_replicas_that_are_not_there(self):
        run = self.train("a", SECTIONS)
        for read in (lambda: run.state(2), lambda: run.node_state_dict(5), lambda: run.node_state_dict(-1),
                     lambda: run.mean_state_dict(2)):
            self.assertRaises(IndexError, read)

    def test_a_problem_of_matrices(self):
        self.write("problem.safetensors", quadratic(5, (6, 4)) | {"shapes": np.array([[2, 3], [4, 1]], "<i8")})
        problem = {"data": {"name": "quadratic", "file": "problem.safetensors"}, "evaluate": {"every_steps": 12}}
        run = self.train("q", SECTIONS | problem)
        self.assertEqual([array.size for array in run.mean_state_dict().values()], [6, 4])


    @needs("torch")
    def test_what_is_no_network_has_no_module(self):
        self.write("problem.safetensors", quadratic(5, (6, 4)))
        problem = {"data": {"name": "quadratic", "file": "problem.safetensors"}, "evaluate": {"every_steps": 12}}
        for model in ("mlp", "softmax"):
            with self.assertRaisesRegex(ValueError, "no PyTorch module"):
                self.train(model, SECTIONS | problem | {"model": {"name": model}}).torch_model()


class DamagedCheckpoints(ReaderTest):
    def setUp(self):
        super().setUp()
        self.run_ = self.train("a", SECTIONS)
        self.file = self.run_.path / "checkpoint.safetensors"
        self.good = self.file.read_bytes()

    def refuse(self, content, words):
        self.file.write_bytes(content)
        with self.assertRaises(sparsepush.RunError) as caught:
            sparsepush.load(self.run_.path).state()
        self.assertTrue(str(caught.exception).startswith(f"{self.file}: "), caught.exception)
        self.assertIn(words, str(caught.exception))

    def changed(self, change):
        """The file with another header."""
        (size,) = struct.unpack("<Q", self.good[:8])
        header = json.loads(self.good[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + self.good[8 + size :]

    def test_no_checkpoint(self):
        self.file.unlink()
        with self.assertRaisesRegex(sparsepush.RunError, f"{self.file}: no such file"):
            sparsepush.load(self.run_.path).node_state_dict(0)

    def test_any_truncation_is_refused(self):
        for size in (0, 1, 7, 8, 9, 100, len(self.good) // 2, len(self.good) - 1):
            self.refuse(self.good[:size], "")
        self.refuse(self.good + b"0", "the file has")

    def test_headers_that_promise_what_is_not_there(self):
        def set_entry(key, value):
            return lambda header: header["x"].update({key: value})

        data = header_data_bytes(self.good)
        cases = {
            "claims a header of": struct.pack("<Q", 1 << 63) + self.good[8:],
            "truncated: it claims": struct.pack("<Q", len(self.good)) + self.good[8:],
            "not valid JSON": self.good[:8] + b"\xff" + self.good[9:],
            "not a JSON object": struct.pack("<Q", 2) + b"[]",
            "dtype": self.changed(set_entry("dtype", "F16")),
            "expected a shape of sizes": self.changed(set_entry("shape", [-10, -100])),
            "bytes, not those of [10, 46": self.changed(set_entry("shape", [10, 1 << 62, 1 << 62])),
            "bytes, not those of [10, 3]": self.changed(set_entry("shape", [10, 3])),
            "bytes, not those of [0, 46": self.changed(set_entry("shape", [0, 1 << 62, 1 << 62])),
            "data_offsets": self.changed(set_entry("data_offsets", [8, 0])),
            "begins at byte": self.changed(set_entry("data_offsets", [0, data])),
            "expected an object": self.changed(lambda header: header.update(x=[])),
            "object of strings": self.changed(lambda header: header["__metadata__"].update(a=1)),
            '"parameters"': self.changed(lambda header: header["__metadata__"].pop("parameters")),
        }
        for words, content in cases.items():
            with self.subTest(words):
                self.refuse(content, words)

    def test_lists_of_tensors_that_do_not_fit(self):
        params = self.run_.state()["x"].shape[1]
        for table in ("{", "[1]", "{}", '[{"name":"a","shape":[3],"offset":0}]',
                      f'[{{"name":"a","shape":[{params}.0],"offset":0}}]', f'[{{"name":1,"shape":[{params}],"offset":0}}]',
                      f'[{{"name":"a","shape":[{params - 1}],"offset":1}}]'):
            with self.subTest(table):
                change = lambda header: header["__metadata__"].update(parameters=table)
                self.refuse(self.changed(change), '"parameters" in its metadata that fits')

    def test_every_changed_byte_of_the_header_is_refused_or_harmless(self):
        self.fuzz(self.run_.path)
        self.fuzz(self.train("blocks", SECTIONS | {"algorithm": {"name": "shared_block", "blocks": 3}}).path)

    def fuzz(self, folder):
        file = folder / "checkpoint.safetensors"
        good = file.read_bytes()
        (size,) = struct.unpack("<Q", good[:8])
        for at in range(8 + size):
            content = bytearray(good)
            content[at] ^= 1 << at % 7
            file.write_bytes(content)
            try:
                run = sparsepush.load(folder)
                run.state(), run.node_state_dict(1), run.mean_state_dict()
            except sparsepush.RunError as error:
                self.assertIn(str(file), str(error))

    def test_a_checkpoint_of_another_run(self):
        tensors, metadata = read_safetensors(self.file)
        self.refuse(safetensors_bytes({"x": tensors["x"][:4]} | {"u": tensors["u"]}, metadata), '"x" of float32 with a row for each of 10')
        self.refuse(safetensors_bytes({"x": tensors["x"], "u": tensors["u"][:4]}, metadata), '"u" of float64')
        more = {"x": tensors["x"], "u": tensors["u"], "block_u": np.ones((2, 3))}
        self.refuse(safetensors_bytes(more, metadata), '"block_u"')
        more = {"x": tensors["x"], "u": tensors["u"], "statistics": np.ones((10, 3, 1), "f4")}
        self.refuse(safetensors_bytes(more, metadata), '"statistics"')


def header_data_bytes(content):
    (size,) = struct.unpack("<Q", content[:8])
    return len(content) - 8 - size


if __name__ == "__main__":
    main()
