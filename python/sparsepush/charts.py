"""Draws runs as the report does, with matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from .errors import RunError, need
from .results import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's for those that are compared most; a method has its own. Others are grey.
COLOURS = {
    "sgp": "#0072b2",
    "sparse_push": "#d55e00",
    "scsp": "#009e73",
    "choco": "#cc79a7",
    "deep_squeeze": "#e69f00",
    "d_psgd": "#56b4e9",
    "all_reduce": "#000000",
    "quantized_push_sum": "#a6529a",
    "local_sgd": "#8a8a2e",
    "fda": "#7f6bd1",
    "gradient_tracking": "#a6611a",
    "push_gradient_tracking": "#3f97a8",
    "d2": "#5f7f8c",
    "shared_block": "#b2203f",
}
GREY = "#808080"
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3))]  # tell settings of one colour apart


def plot(
    runs: Run | Iterable[Run] | Mapping[str, Run], x: str = "step", y: str | None = None, axes: Axes | None = None
) -> Axes:
    """Draws a line a run, the mean over its replicas, in a band of one standard deviation.

    runs: one, several, or a dict by label, such as load_table(...).runs(). x, y: columns of metrics.csv; x also
    "seconds"; y is accuracy_mean, or test_loss where there is none. Returns the matplotlib Axes, new ones unless given.
    """
    if axes is None:
        axes = need("matplotlib.pyplot", "plot()").figure(layout="constrained").add_subplot()
    labelled = _labelled(runs)
    numbers = {}
    for label, run in labelled.items():
        colour = COLOURS.get(run.config.get("algorithm", {}).get("name"), GREY)
        dashes = DASHES[next(numbers.setdefault(colour, count())) % len(DASHES)]
        at, mean, deviation = _line(run, x, y or _default_column(run))
        axes.plot(at, mean, color=colour, linestyle=dashes, label=label)
        axes.fill_between(at, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
    if x.startswith("bytes"):
        axes.set_xscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y or ", ".join(dict.fromkeys(map(_default_column, labelled.values()))))
    axes.grid(linewidth=0.3)
    if labelled:
        axes.legend()
    return axes


def _default_column(run):
    return "accuracy_mean" if np.isfinite(run.metrics["accuracy_mean"]).any() else "test_loss"


def _line(run, x, y):
    """Place, mean and deviation over the replicas at every evaluation; places are means as well."""
    steps = np.unique(run.metrics["step"])
    columns = run.metrics | ({"seconds": run.seconds} if x == "seconds" else {})
    for name in (x, y):
        if name not in columns:
            raise RunError(run.path / "metrics.csv", f'no column "{name}"')
    of_step = [run.metrics["step"] == step for step in steps]
    at, mean = (np.array([columns[name][rows].mean() for rows in of_step]) for name in (x, y))
    spread = [columns[y][rows].std(ddof=1) if rows.sum() > 1 else 0.0 for rows in of_step]
    if x.startswith("bytes"):
        at[at == 0] = np.nan  # no place on a logarithmic axis
    return at, mean, np.array(spread)


def _labelled(runs):
    """Runs by label: the settings in which they differ, or their folders where these do not tell them apart."""
    if isinstance(runs, Mapping):
        return dict(runs)
    runs = [runs] if isinstance(runs, Run) else list(runs)
    settings = [{f"{s}.{k}": v for s, keys in run.config.items() for k, v in keys.items()} for run in runs]
    keys = dict.fromkeys(key for setting in settings for key in setting)
    different = [key for key in keys if any(s.get(key) != settings[0].get(key) for s in settings)]
    labels = [", ".join(f"{key.partition('.')[2]}={s[key]}" for key in different if key in s) for s in settings]
    if len(set(labels)) < len(runs) or not all(labels):
        labels = [str(run.path) for run in runs]
    return dict(zip(labels, runs))
