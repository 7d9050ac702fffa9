"""Times of the round of gossip_torch.py, of the update alone, and of this project's benchmark, in nanoseconds."""

import ctypes
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import torch


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def nanoseconds(state, device, call, calls=1):
    """Of one call, per parameter and node."""
    synchronize(device)
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    synchronize(device)
    return (time.perf_counter() - begin) * 1e9 / calls / state.x.numel()


def time_round(state, device):
    """On a CPU the gradient is made anew, outside of the time. A GPU has many rounds at hand, with one gradient, to
    which each adds a little weight decay."""
    if device == "cuda":
        return nanoseconds(state, device, lambda: state.step(state.gradient), calls=8)
    gradient = state.gradient.clone()
    return nanoseconds(state, device, lambda: state.step(gradient))


def time_selection(state, device):
    """Top-k alone, of new values."""
    state.error.copy_(state.gradient)
    return nanoseconds(state, device, state.select_alone)


def measure(state, device, rounds, timed=time_round):
    """Median of `rounds` rounds after three to warm up."""
    return statistics.median([timed(state, device) for _ in range(rounds + 3)][3:])


class UpdatePass:
    """The update alone, fused, in C: reads x, m, g, e and writes x, m, e. The floor of a round."""

    def __init__(self, state, threads):
        source = Path(__file__).with_name("update_pass.c")
        with tempfile.TemporaryDirectory() as folder:
            library = f"{folder}/update_pass.so"
            subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", source, "-o", library], check=True)
            self.update = ctypes.CDLL(library).update_pass
        self.update.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_size_t]
        self.arrays = [part.clone() for part in (state.x, state.momentum, state.gradient, state.error)]
        self.threads, self.params = threads, state.x.numel()

    def time(self):
        """Nanoseconds per parameter; each thread has its own contiguous share."""
        share = self.params // self.threads
        calls = [
            threading.Thread(target=self.update, args=(*(a.data_ptr() + 4 * share * i for a in self.arrays), share))
            for i in range(self.threads)
        ]
        begin = time.perf_counter()
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        return (time.perf_counter() - begin) * 1e9 / self.params


def run_ours(options):
    """Nanoseconds per parameter of this project's benchmark: of a round, and of top-k alone."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [options.ours, f"--backend={options.device}", f"--threads={options.threads}", "--layout=resnet20"]
        command += [f"--nodes={options.nodes}", f"--keep={options.keep:g}", f"--json={report.name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        result = json.load(report)["cases"][0]
    if "skipped" in result:
        raise SystemExit(f"{options.ours}: {result['skipped']}")
    return result["ns_per_param"], result["selection"]["ns_per_element"]
