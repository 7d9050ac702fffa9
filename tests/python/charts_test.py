"""Figures of runs."""

import numpy as np

from reading import ReaderTest, main, needs
from program import quadratic

import sparsepush

SECTIONS = {"run": {"nodes": 3, "replicas": 3, "steps": 8}, "model": {"hidden": [4]}, "evaluate": {"every_steps": 4}}


@needs("matplotlib")
class Charts(ReaderTest):
    def setUp(self):
        super().setUp()
        import matplotlib

        matplotlib.use("svg")
        self.runs = [self.train(name, SECTIONS | {"algorithm": algorithm}) for name, algorithm in (
            ("a", {"name": "sgp"}), ("b", {"name": "sparse_push", "keep": 0.1}),
            ("c", {"name": "sparse_push", "keep": 0.2}), ("d", {"name": "none"}))]

    def test_a_line_is_the_mean_over_replicas(self):
        axes = sparsepush.plot(self.runs[1])
        (line,) = axes.get_lines()
        metrics = self.runs[1].metrics
        expected = [metrics["accuracy_mean"][metrics["step"] == step].mean() for step in (0, 4, 8)]
        self.assertEqual(line.get_xdata().tolist(), [0, 4, 8])
        np.testing.assert_allclose(line.get_ydata(), expected)
        (band,) = axes.collections
        deviation = metrics["accuracy_mean"][metrics["step"] == 8].std(ddof=1)
        edges = band.get_paths()[0].vertices
        np.testing.assert_allclose(np.ptp(edges[edges[:, 0] == 8][:, 1]), 2 * deviation)

    def test_methods_have_the_reports_colours_and_settings_their_dashes(self):
        lines = sparsepush.plot(self.runs).get_lines()
        self.assertEqual([line.get_color() for line in lines], ["#0072b2", "#d55e00", "#d55e00", "#808080"])
        self.assertEqual([line.get_linestyle() for line in lines], ["-", "-", "--", "-"])
        self.assertIn("keep=0.1", lines[1].get_label())
        self.assertIn("keep=0.2", lines[2].get_label())

    def test_runs_by_label_over_bytes_on_axes_that_are_given(self):
        from matplotlib.figure import Figure

        mine = Figure().add_subplot()
        axes = sparsepush.plot({"mine": self.runs[1]}, x="bytes_wire", y="consensus", axes=mine)
        self.assertIs(axes, mine)
        self.assertEqual((axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()), ("log", "bytes_wire", "consensus"))
        self.assertEqual(axes.get_legend_handles_labels()[1], ["mine"])
        self.assertTrue(np.isnan(axes.get_lines()[0].get_xdata()[0]))  # nothing was sent yet

    def test_seconds(self):
        at = sparsepush.plot(self.runs[0], x="seconds").get_lines()[0].get_xdata()
        self.assertTrue((np.diff(at) >= 0).all() and at[-1] > 0)

    def test_problems_without_accuracies_show_their_loss(self):
        self.write("problem.safetensors", quadratic(3, (5, 3)))
        run = self.train("q", SECTIONS | {"data": {"name": "quadratic", "file": "problem.safetensors"}})
        axes = sparsepush.plot(run)
        self.assertEqual(axes.get_ylabel(), "test_loss")
        self.assertTrue(np.isfinite(axes.get_lines()[0].get_ydata()).all())

    def test_runs_that_nothing_tells_apart_have_their_folders_as_labels(self):
        again = self.train("again", SECTIONS | {"algorithm": {"name": "sgp"}})
        labels = sparsepush.plot([self.runs[0], again]).get_legend_handles_labels()[1]
        self.assertEqual(labels, [str(self.runs[0].path), str(again.path)])

    def test_columns_that_are_not_there_are_named(self):
        with self.assertRaisesRegex(sparsepush.RunError, 'metrics.csv: no column "accuracy"'):
            sparsepush.plot(self.runs[0], y="accuracy")


if __name__ == "__main__":
    main()
