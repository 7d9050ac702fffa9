"""A run of many nodes takes the memory that `plan` says."""

import os
import re
import shutil
import subprocess

from program import ProgramTest, main

MEGABYTE = 1e6
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
TEN_THOUSAND_NODES = {
    "run": {"nodes": 10000, "steps": 3},
    "data": {"name": "synthetic", "samples": 20000, "features": 64, "classes": 10},
    "model": {"name": "mlp", "hidden": [16]},  # 1,210 parameters
    "topology": {"name": "random_out", "degree": 4, "redraw": True},
    "evaluate": {"nodes": 2},
}
RESNET = {
    "run": {"nodes": 8, "steps": 2, "threads": 2},
    "data": {"name": "digits"},
    "model": {"name": "resnet20", "norm": "batch"},
    "evaluate": {"nodes": 1},
}


class Memory(ProgramTest):
    def planned_bytes(self, config):
        value, unit = re.search(r"^total +([\d.]+) (\w+)$", self.command("plan", config).stdout, re.MULTILINE).groups()
        return float(value) * UNITS[unit]

    def largest_resident_bytes(self, config):
        command = [self.program, "run", config, "--out", self.folder / "out", "--quiet"]
        process = subprocess.Popen(command, cwd=self.folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss * 1024

    def test_ten_thousand_nodes(self):
        config = self.write_config(TEN_THOUSAND_NODES)
        planned = self.planned_bytes(config)
        used = self.largest_resident_bytes(config)
        self.assertLess(used, 1.2 * planned + 200 * MEGABYTE)
        self.assertGreater(used, 0.8 * planned)

    def test_convolutions(self):
        for settings in ({"threads": 1}, {"threads": 2}, {"nodes": 32}):
            with self.subTest(settings):
                config = self.write_config(RESNET | {"run": RESNET["run"] | settings})
                used = self.largest_resident_bytes(config)
                shutil.rmtree(self.folder / "out")
                self.assertAlmostEqual(used / self.planned_bytes(config), 1, delta=0.05)


if __name__ == "__main__":
    main()
