"""The floors of the house: host -> models -> data -> kernels. No file includes one of a floor above its own; a test
belongs to the floor that its folder names, benchmarks and the program stand above all. The rooms of the lowest floor
have an order as well."""
import re
from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ["kernels", "data", "models", "host", "host/program", "bench"]
ROOMS = ["backend", "nodes", "messages", "mixing", "layers"]  # of kernels/: no file includes one of a later room
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def floor_of(path):
    """The number of a file's floor, from its path below the root; files that tests of all floors share have the lowest."""
    parts = path.split("/")
    if parts[0] == "tests":
        parts = parts[1:]
    if path == "host/main.cpp" or parts[:2] == ["host", "program"]:
        return FLOORS.index("host/program")
    return FLOORS.index(parts[0]) if parts[0] in FLOORS else 0


def room_of(path):
    """The number of a file's room in kernels/; files beside the rooms have the highest."""
    parts = path.split("/")
    return ROOMS.index(parts[1]) if parts[1] in ROOMS else len(ROOMS)


def upward(path, text):
    """The includes of a file that go up, or on to a later room."""
    included = INCLUDE.findall(text)
    higher = [other for other in included if floor_of(other) > floor_of(path)]
    if not path.startswith("kernels/"):
        return higher
    return higher + [other for other in included if other.startswith("kernels/") and room_of(other) > room_of(path)]


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
                ("kernels/nodes/state.h", '#include "kernels/mixing/due_round.h"\n', ["kernels/mixing/due_round.h"]),
                ("kernels/mixing/due_round.h", '#include "kernels/nodes/due.h"\n', []),
                ("kernels/without_cuda.cpp", '#include "kernels/layers/pool.h"\n', []),
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
