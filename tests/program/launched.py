"""Running the program in several processes, which Open MPI's mpirun starts together."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from program import ProgramTest

ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
MPIRUN = ["mpirun", "--oversubscribe", "-np"]  # more processes than processors
BLOCK_OF_MPIRUN = re.compile(r"^-{70,}\n.*?^-{70,}\n", re.MULTILINE | re.DOTALL)
CLOCKED = ("log.txt", "timing.csv")  # files of a run of which nothing is compared
LINE_OF_MPIRUN = re.compile(r"mpirun: |\[[\w.-]+:\d+\] ")


def is_alive(pid):
    """Whether a process runs: one that has ended, and that nobody has asked about yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def variable(pid, name):
    """The value that the environment variable has in a process, or None."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    values = [text.partition(b"=")[2].decode() for text in variables if text.startswith(name.encode() + b"=")]
    return values[0] if values else None


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def contents(folder):
    """What stands in the files of a run, but for times and for how many shards there were and how they were connected."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in CLOCKED}
    files["config.toml"] = re.sub(rb"(?m)^(shards|transport) = .*$", b"", files["config.toml"])
    files["summary.json"] = json.loads(files["summary.json"]) | {"seconds": 0, "device": ""}
    return files


class Launch:
    """mpirun and the processes that it starts."""

    def __init__(self, ranks, command, **options):
        self.count = ranks
        self.mpirun = subprocess.Popen([*MPIRUN, str(ranks), *map(str, command)], env=ENVIRONMENT, text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       **options)
        self.pids = {}  # by rank, of those seen so far

    def look(self):
        for pid in children(self.mpirun.pid):
            rank = variable(pid, "OMPI_COMM_WORLD_RANK")
            if rank is not None:
                self.pids[int(rank)] = pid

    def all_pids(self, seconds=10):
        """Process ids by rank, once all are there; fewer if mpirun ends before."""
        until = time.monotonic() + seconds
        while len(self.pids) < self.count and self.mpirun.poll() is None and time.monotonic() < until:
            self.look()
            time.sleep(0.001)
        return self.pids

    def await_that(self, condition, seconds=20):
        """Returns whether `condition()` comes to hold before the launch ends."""
        until = time.monotonic() + seconds
        while self.mpirun.poll() is None and time.monotonic() < until:
            if condition():
                return True
            time.sleep(0.002)
        return condition()

    def output(self, seconds):
        """Waits for the end; then `code`, `stdout` and `stderr` are mpirun's."""
        self.stdout, self.stderr = self.mpirun.communicate(timeout=seconds)
        self.code = self.mpirun.returncode

    def left(self, seconds=1):
        """Those of the processes that still run after mpirun's end and so many seconds."""
        until = time.monotonic() + seconds
        while (left := [pid for pid in self.pids.values() if is_alive(pid)]) and time.monotonic() < until:
            time.sleep(0.01)
        return left

    def kill(self):
        if self.mpirun.poll() is None:
            self.look()
            self.mpirun.kill()
        for stream in (self.mpirun.stdout, self.mpirun.stderr):
            stream.close()
        self.mpirun.wait()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)


class LaunchedTest(ProgramTest):
    """A test that launches the program; skips where that cannot be."""

    timeout = 60

    @classmethod
    def setUpClass(cls):
        if shutil.which("mpirun") is None:
            raise unittest.SkipTest("no mpirun: scripts/install_packages.sh mpi")
        if "Open MPI" not in subprocess.run(["mpirun", "--version"], capture_output=True, text=True).stdout:
            raise unittest.SkipTest("the mpirun that is here is not Open MPI's")
        launch = Launch(2, [cls.program, "run", "nothing.toml"])
        launch.output(cls.timeout)
        if "built without MPI" in launch.stderr:
            raise unittest.SkipTest("this program was built without MPI")

    def start(self, ranks, *arguments, program=None, **options):
        launch = Launch(ranks, [program or self.program, *arguments], cwd=self.folder, **options)
        self.addCleanup(launch.kill)
        return launch

    def launch(self, ranks, *arguments, **options):
        """The finished launch of the program."""
        launch = self.start(ranks, *arguments, **options)
        launch.all_pids()
        self.await_end(launch)
        return launch

    def await_end(self, launch):
        """Waits for the end of mpirun and all of its processes."""
        try:
            launch.output(self.timeout)
        except subprocess.TimeoutExpired:
            launch.kill()
            self.fail(f"{launch.mpirun.args} does not end within {self.timeout} s")
        self.assertEqual(launch.left(), [])

    def launch_ok(self, ranks, config, out, *arguments, **options):
        """Runs `config` in processes into the folder `out`, which must succeed, and returns the folder's path."""
        done = self.launch(ranks, "run", config, "--out", self.folder / out, "--quiet", *arguments, **options)
        self.assertEqual(done.code, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return self.folder / out

    def assert_same_files(self, one, other):
        self.assert_same_results(one, other)
        self.assertEqual({path.name for path in one.iterdir()}, {path.name for path in other.iterdir()})
        mine, theirs = contents(one), contents(other)
        for name in mine:
            self.assertEqual(mine[name], theirs[name], name)

    def own_lines(self, launch):
        """What the program itself has written to the standard error, without mpirun's words."""
        lines = BLOCK_OF_MPIRUN.sub("", launch.stderr).splitlines()
        return [line for line in lines if line and not LINE_OF_MPIRUN.match(line)]

    def per_rank(self, scripts):
        """A program that does the lines of bash of `scripts` {rank: lines} in those ranks before it begins, which may
        add to the arguments "$@"."""
        path = self.folder / "per_rank.sh"
        cases = "".join(f"{rank})\n{script}\n;;\n" for rank, script in scripts.items())
        path.write_text(f"#!/bin/bash\ncase $OMPI_COMM_WORLD_RANK in\n{cases}esac\nexec '{self.program}' \"$@\"\n")
        path.chmod(0o755)
        return path
