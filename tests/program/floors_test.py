"""The floors of the house: host -> models -> data -> kernels. No file includes one of a floor above its own; a test
belongs to the floor that its folder names, benchmarks and the program stand above all. The rooms of a floor have an order
as well, so that no two of them include each other."""
import re
from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ["kernels", "data", "models", "host", "host/program", "bench"]
# The rooms of a floor: no file includes one of a later room. "" is beside the rooms; where it is missing, above all.
ROOMS = {
    "kernels": ["backend", "nodes", "messages", "messages/topk", "mixing", "layers", "layers/normalize",
                "layers/few_channels", "layers/conv2d"],
    "data": ["files", "", "sets", "partitions"],
    "models": [""],
    "host": ["transports", "ranks", "recipe", "topologies", "rounds", "config", "state", "compressors", "optimizers",
             "algorithms", "records", "descriptions", "tables", "listing", "comparison", "reports"],
}
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
    """The number of a file's room on its floor; those that have no place in the order have the highest."""
    floor, *folders, _ = path.split("/")
    rooms = ROOMS[floor]
    return rooms.index("/".join(folders)) if "/".join(folders) in rooms else len(rooms)


def upward(path, text):
    """The includes of a file that go up, or on to a later room."""
    included = INCLUDE.findall(text)
    higher = [other for other in included if floor_of(other) > floor_of(path)]
    floor = path.split("/")[0]
    if floor not in ROOMS:
        return higher
    return higher + [other for other in included if other.split("/")[0] == floor and other not in higher and
                     room_of(other) > room_of(path)]


def sources(*folders):
    return [str(file.relative_to(ROOT)) for folder in folders for file in sorted((ROOT / folder).rglob("*"))
            if file.suffix in (".h", ".cpp", ".cu", ".cuh")]


class FloorsTest(ProgramTest):
    def test_no_include_goes_up(self):
        files = sources("kernels", "data", "models", "host", "bench", "tests")
        self.assertGreater(len(files), 300)
        found = {file: upward(file, (ROOT / file).read_text()) for file in files}
        self.assertEqual({file: includes for file, includes in found.items() if includes}, {})

    def test_every_room_has_a_place_in_the_order(self):
        for floor, rooms in ROOMS.items():
            found = {"/".join(file.split("/")[1:-1]) for file in sources(floor)}
            self.assertEqual(found - {"", "program"}, set(rooms) - {""})

    def test_an_include_that_goes_up_is_seen(self):
        for path, text, expected in (
                ("kernels/nodes/state.h", '#include "data/table.h"\n#include <vector>\n', ["data/table.h"]),
                ("kernels/nodes/state.h", '#include "kernels/mixing/due_round.h"\n', ["kernels/mixing/due_round.h"]),
                ("kernels/mixing/due_round.h", '#include "kernels/nodes/due.h"\n', []),
                ("kernels/without_cuda.cpp", '#include "kernels/layers/pool.h"\n', []),
                ("kernels/messages/random_k.h", '#include "kernels/messages/topk/topk_select.h"\n',
                 ["kernels/messages/topk/topk_select.h"]),
                ("kernels/messages/topk/topk_select.h", '#include "kernels/messages/messages.h"\n', []),
                ("kernels/layers/few_channels/padded_image.h", '#include "kernels/layers/conv2d/conv2d.h"\n',
                 ["kernels/layers/conv2d/conv2d.h"]),
                ("data/table.h", '#include "data/sets/dataset.h"\n#include "data/files/csv.h"\n',
                 ["data/sets/dataset.h"]),
                ("models/mlp.cpp", '#include "models/mlp.h"\n#include "host/config/config.h"\n',
                 ["host/config/config.h"]),
                ("host/state/nodes.h", '#include "host/program/progress.h"\n', ["host/program/progress.h"]),
                ("host/state/nodes.h", '#include "host/records/metrics.h"\n#include "host/recipe/methods.h"\n',
                 ["host/records/metrics.h"]),
                ("host/listing/run_line.h", '#include "host/comparison/compare.h"\n', ["host/comparison/compare.h"]),
                ("host/program/progress.h", '#include "host/records/run_position.h"\n', []),
                ("host/main.cpp", '#include "host/program/progress.h"\n', []),
                ("tests/kernels/nodes/state_test.cpp", '#include "models/task.h"\n', ["models/task.h"]),
                ("tests/backends.h", '#include "tests/host/outcome.h"\n', ["tests/host/outcome.h"]),
                ("tests/host/outcome.h", '#include "kernels/nodes/state.h"\n', [])):
            self.assertEqual(upward(path, text), expected)


if __name__ == "__main__":
    main()
