"""PyTorch models of nodes test as the program's do."""

import numpy as np

from reading import ReaderTest, digits, images, main, needs, spread

BASE = {
    "run": {"nodes": 4, "steps": 6},
    "data": {"batch": 8},
    "topology": {"name": "random_out", "degree": 2},
    "algorithm": {"name": "sgp"},
    "optimizer": {"lr": 0.05},
    "evaluate": {"every_steps": 6},
}


@needs("torch")
class TorchModels(ReaderTest):
    def assert_tests_equally(self, run, inputs, labels, replica=0):
        """Accuracy of every node to one sample, its loss closely; of the mean model as well. inputs: all of the test
        set, normalized."""
        import torch

        torch.set_num_threads(1)  # they would spin, and ctest runs a test a processor
        if run.config["topology"]["name"] == "random_out":
            self.assertGreater(np.ptp(run.state(replica)["u"]), 0.01)  # else z is x
        samples = run.config["evaluate"].get("samples") or len(labels)
        chosen = spread(len(labels), samples)
        x, y = torch.from_numpy(np.ascontiguousarray(inputs[chosen])), torch.from_numpy(labels[chosen])

        def scores(model):
            self.assertFalse(model.training)
            with torch.no_grad():
                logits = model(x)
            loss = torch.nn.functional.cross_entropy(logits.double(), y).item()
            return loss, (logits.argmax(1) == y).double().mean().item()

        nodes, metrics = run.nodes, run.metrics
        last = (nodes["step"] == nodes["step"].max()) & (nodes["replica"] == replica)
        for node, loss, accuracy in zip(*(nodes[name][last] for name in ("node", "loss", "accuracy"))):
            my_loss, my_accuracy = scores(run.torch_model(node=node, replica=replica))
            self.assertLessEqual(abs(my_accuracy - accuracy), 1.01 / samples, f"node {node}")
            self.assertLessEqual(abs(my_loss - loss), 1e-4 * loss, f"node {node}")
        row = np.flatnonzero((metrics["step"] == metrics["step"].max()) & (metrics["replica"] == replica))[0]
        my_loss, my_accuracy = scores(run.torch_model(replica=replica))
        self.assertLessEqual(abs(my_accuracy - metrics["accuracy_mean_model"][row]), 1.01 / samples)
        self.assertLessEqual(abs(my_loss - metrics["loss_mean_model"][row]), 1e-4 * my_loss)

    def test_dense_networks_on_digits(self):
        inputs, labels = digits("test")
        for model in ({"name": "softmax"}, {"name": "mlp", "hidden": [32, 16]}):
            run = self.train(model["name"], BASE | {"model": model, "run": {"nodes": 5, "steps": 60, "replicas": 2}})
            self.assertGreater(run.metrics["accuracy_mean"][-1], 0.5)
            for replica in (0, 1):
                self.assert_tests_equally(run, inputs, labels, replica)
            self.assert_tests_equally(run, inputs.reshape(-1, 1, 8, 8), labels)

    def test_resnet20_with_every_normalization(self):
        inputs, labels = digits("test")
        for norm in ("batch", "none", "group", "evonorm"):
            with self.subTest(norm):
                run = self.train(norm, BASE | {"model": {"name": "resnet20", "norm": norm},
                                               "evaluate": {"every_steps": 6, "samples": 50}})
                self.assert_tests_equally(run, inputs.reshape(-1, 1, 8, 8), labels)

    def train_on_images(self, channels, side, sections):
        """A run on data.name = "file", and its test images as the program normalizes them."""
        (train_x, train_y), (test_x, test_y) = images(96, channels, side, 1), images(150, channels, side, 2)
        self.write("images.safetensors", {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": test_y})
        of_channel = train_x.transpose(1, 0, 2, 3).reshape(channels, -1).astype("f8")
        mean, deviation = (a[:, None, None] for a in (of_channel.mean(1), of_channel.std(1)))
        data = {"name": "file", "file": "images.safetensors", "batch": 8}
        run = self.train("-".join(sections["model"].values()) + str(side), BASE | {"data": data} | sections)
        return run, ((test_x - mean) / deviation).astype("f4"), test_y

    def test_lenet5_on_images_of_either_size(self):
        for channels, side, norm in ((3, 32, "none"), (1, 28, "batch"), (2, 28, "evonorm")):
            with self.subTest(side=side, norm=norm):
                model = {"model": {"name": "lenet5", "norm": norm}, "run": {"nodes": 4, "steps": 30}}
                self.assert_tests_equally(*self.train_on_images(channels, side, model))

    def test_dense_networks_take_the_channels_of_a_pixel_together(self):
        self.assert_tests_equally(*self.train_on_images(3, 5, {"model": {"name": "mlp"}}))

    def test_vgg11(self):
        for norm in ("none", "batch"):
            sections = {"model": {"name": "vgg11", "norm": norm}, "run": {"nodes": 2, "steps": 3},
                        "topology": {"name": "directed_ring"}, "evaluate": {"every_steps": 3, "samples": 30}}
            self.assert_tests_equally(*self.train_on_images(3, 32, sections))

    def test_state_dicts_fit_modules_without_more(self):
        from torch import nn

        run = self.train("mlp", BASE | {"model": {"name": "mlp", "hidden": [7]}})
        mine = nn.Sequential()
        mine.add_module("fc1", nn.Linear(64, 7))
        mine.add_module("relu", nn.ReLU())
        mine.add_module("fc2", nn.Linear(7, 10))
        mine.load_state_dict(run.node_state_dict(0, framework="torch"))


if __name__ == "__main__":
    main()
