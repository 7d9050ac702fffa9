"""Reads what sparsepush writes: runs, their models, and tables.

    run = sparsepush.load("runs/a")
    run.metrics["accuracy_mean"]
    run.torch_model(node=3)

NumPy is all that is needed; pandas, PyTorch and matplotlib only by the functions that say so.
"""

from .charts import plot
from .errors import RunError
from .program import run
from .results import Run, load, runs
from .tables import Table, load_table

__version__ = "0.1.0"
__all__ = ["Run", "RunError", "Table", "load", "load_table", "plot", "run", "runs"]
