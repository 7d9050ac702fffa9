"""The floors of the house: host -> models -> data -> kernels. No file includes one of a floor above its own; a test
belongs to the floor that its folder names, benchmarks and the program stand above all."""
import re
from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ["kernels", "data", "models", "host", "host/program", "bench"]
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def floor_of(path):
    """The number of a file's floor, from its path below the root; files that tests of all floors share have the lowest."""
    parts = path.split("/")
    if parts[0] == "tests":
        parts = parts[1:]
    if path == "host/main.cpp" or parts[:2] == ["host", "program"]:
        return FLOORS.index("host/program")
    return FLOORS.index(parts[0]) if parts[0] in FLOORS else 0


def upward(path, text):
    """The includes of a file that go up."""
    return [included for included in INCLUDE.findall(text) if floor_of(included) > floor_of(path)]


class FloorsTest(ProgramTest):
    def test_no_include_goes_up_a_floor(self):
        files = [file for room in ("kernels", "data", "models", "host", "bench", "tests")
                 for file in (ROOT / room).rglob("*") if file.suffix in (".h", ".cpp", ".cu", ".cuh")]
        self.assertGreater(len(files), 300)
        found = {str(file.relative_to(ROOT)): upward(str(file.relative_to(ROOT)), file.read_text()) for file in files}
        self.assertEqual({file: includes for file, includes in found.items() if includes}, {})

    def test_an_include_that_goes_up_is_seen(self):
        for path, text, expected in (
                ("kernels/nodes/state.h", '#include "data/table.h"\n#include <vector>\n', ["data/table.h"]),
                ("models/mlp.cpp", '#include "models/mlp.h"\n#include "host/config/config.h"\n',
                 ["host/config/config.h"]),
                ("host/state/nodes.h", '#include "host/program/progress.h"\n', ["host/program/progress.h"]),
                ("host/main.cpp", '#include "host/program/progress.h"\n', []),
                ("tests/kernels/nodes/state_test.cpp", '#include "models/task.h"\n', ["models/task.h"]),
                ("tests/backends.h", '#include "tests/host/outcome.h"\n', ["tests/host/outcome.h"]),
                ("tests/host/outcome.h", '#include "kernels/nodes/state.h"\n', [])):
            self.assertEqual(upward(path, text), expected)


if __name__ == "__main__":
    main()
