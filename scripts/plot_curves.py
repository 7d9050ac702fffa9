#!/usr/bin/env python3
"""Draws the curves of several runs into one SVG.

usage: plot_curves.py OUT.svg LABEL=DIR...

A column of panels for each setting (data partition, skew, topology) that occurs among the runs; rows: test accuracy
over steps and over bytes sent (mean over nodes, band from the worst node to the best), and consensus over steps.
Runs without accuracies, such as quadratic problems, show their test loss instead.
"""

import csv
import sys
import tomllib
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

COLORS = ["#0072b2", "#d55e00", "#000000", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]  # Okabe and Ito: for every eye
LINES = ["-", "-", (0, (4, 2)), "-.", ":"]  # the third lies on the second where only the final rounds differ


class Run:
    """One line of the legend: a label and the rows of replica 0 of its metrics."""

    def __init__(self, label, folder):
        self.label = label
        with open(folder / "metrics.csv", newline="") as file:
            self.rows = [row for row in csv.DictReader(file) if row["replica"] == "0"]
        if not self.rows:
            raise ValueError(f"{folder / 'metrics.csv'} has no rows")
        with open(folder / "config.toml", "rb") as file:
            self.setting = setting_of(tomllib.load(file))
        self.has_accuracy = bool(self.rows[0]["accuracy_mean"])

    def column(self, name):
        return [float(row[name]) if row[name] else float("nan") for row in self.rows]


def setting_of(config):
    """Data and topology of a run in words: what its column of panels is named."""
    data, topology = config["data"], config["topology"]
    name = data["name"]
    if name != "quadratic":
        skew = {"skew": f"skew {data.get('skew')}", "dirichlet": f"Dirichlet {data.get('alpha')}"}
        name += ", " + skew.get(data["partition"], "IID" if data["partition"] == "iid" else data["partition"])
    words = topology["name"].replace("_", " ")
    if topology["name"] == "file":
        words = Path(topology["file"]).stem
    elif topology["name"] == "random_out":
        words += f" {topology['degree']}" + (", redrawn" if topology.get("redraw") else "")
    return f"{name}\n{words}, {config['run']['nodes']} nodes"


def draw_quality(axes, run, style, over):
    """Accuracy with its band over the column `over`, or the test loss."""
    position = run.column(over)
    if over == "bytes_wire":
        position = [value / 1e6 or float("nan") for value in position]  # step 0 has no place on a logarithmic axis
        axes.set_xscale("log")
    if run.has_accuracy:
        percent = {name: [100 * value for value in run.column(f"accuracy_{name}")] for name in ("mean", "min", "max")}
        axes.fill_between(position, percent["min"], percent["max"], color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(position, percent["mean"], **style)
    else:
        axes.semilogy(position, run.column("test_loss"), **style)
    axes.set_ylabel("test accuracy, %" if run.has_accuracy else "test loss")


def draw_column(panels, runs, styles):
    """All runs of one setting: accuracy over steps, over bytes, and consensus over steps."""
    for run in runs:
        style = styles[run.label]
        draw_quality(panels[0], run, style, "step")
        draw_quality(panels[1], run, style, "bytes_wire")
        panels[2].plot(run.column("step"), [value or float("nan") for value in run.column("consensus")], **style)
        trained = [int(row["step"]) for row in run.rows if row["lr"]][-1]
        if trained < int(run.rows[-1]["step"]):
            panels[2].axvline(trained, color=style["color"], linewidth=0.6, alpha=0.6)
    panels[0].set_title(runs[0].setting, fontsize=9)
    panels[2].set_yscale("log")
    panels[2].set_ylabel("consensus distance")
    for axes, label in zip(panels, ("step", "MB sent by all nodes", "step")):
        axes.set_xlabel(label)
        axes.grid(linewidth=0.3)
        if label == "step":
            axes.locator_params(axis="x", nbins=5)


def draw(runs):
    """The figure with one column per setting, in the order in which the settings come."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    labels = list(dict.fromkeys(run.label for run in runs))
    styles = {
        label: {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "linewidth": 1.4}
        for i, label in enumerate(labels)
    }
    figure, panels = plt.subplots(3, len(settings), figsize=(3.4 * len(settings) + 0.8, 8), squeeze=False, sharey="row")
    for column, setting in enumerate(settings):
        draw_column(panels[:, column], [run for run in runs if run.setting == setting], styles)
        for axes in panels[:, column] if column else []:
            axes.set_ylabel("")
    lines = [plt.Line2D([], [], label=label, **styles[label]) for label in labels]
    legend_columns = min(4, 2 * len(settings), len(labels))
    figure.legend(handles=lines, loc="lower center", ncol=legend_columns, frameon=False)
    figure.tight_layout(rect=(0, 0.03 + 0.025 * -(-len(labels) // legend_columns), 1, 1))
    return figure


def main():
    if len(sys.argv) < 3 or not all("=" in argument for argument in sys.argv[2:]):
        sys.exit(__doc__.split("\n\n")[1])
    try:
        runs = [Run(label, Path(folder)) for label, folder in (argument.split("=", 1) for argument in sys.argv[2:])]
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"plot_curves.py: {error}")
    plt.rcParams.update({"font.size": 8, "svg.hashsalt": "sparsepush", "svg.fonttype": "path", "axes.axisbelow": True})
    draw(runs).savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
