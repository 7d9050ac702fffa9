"""What `sparsepush topology` writes for other programs, read as these would read it."""

import json
import re
import xml.etree.ElementTree as ElementTree

from program import ProgramTest, main

SVG = "{http://www.w3.org/2000/svg}"


def config(name, nodes, **keys):
    return {"run": {"nodes": nodes}, "topology": {"name": name, **keys}, "algorithm": {"name": "sgp"}}


class Topology(ProgramTest):
    def export(self, sections, *options):
        result = self.command("topology", self.write_config(sections), *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_json_has_every_round(self):
        for sections, period in ((config("base_graph", 5), 5), (config("three_rings", 4), 3), (config("ring", 6), 1)):
            data = json.loads(self.export(sections, "--json", "-"))
            nodes = sections["run"]["nodes"]
            self.assertEqual((data["nodes"], data["period"], data["redrawn"]), (nodes, period, False))
            self.assertEqual([entry["round"] for entry in data["rounds"]], list(range(period)))
            for entry in data["rounds"]:
                column = list(entry["self_weight"])
                out, into = [0] * nodes, [0] * nodes
                for edge in entry["edges"]:
                    column[edge["source"]] += edge["weight"]
                    out[edge["source"]] += 1
                    into[edge["target"]] += 1
                self.assertEqual((entry["out_degree"], entry["in_degree"]), (out, into))
                for total in column:
                    self.assertAlmostEqual(total, 1, places=12)
        self.assertAlmostEqual(data["rho"], (1 + 2 * 0.5) / 3, places=9)
        self.assertTrue(data["push_sum_is_idle"])

    def test_json_of_a_redrawn_one_has_its_first_rounds(self):
        data = json.loads(self.export(config("random_matching", 7), "--json", "-"))
        self.assertEqual((data["period"], data["redrawn"], len(data["rounds"]), data["seed"]), (None, True, 8, 1))
        self.assertTrue(all(max(entry["out_degree"]) == 1 for entry in data["rounds"]))

    def test_svg_shows_nodes_and_edges(self):
        for sections, rounds, lines in (
            (config("ring", 8), 1, 8),
            (config("directed_ring", 8), 1, 8),
            (config("torus", 12), 1, 24),
            (config("star", 9), 1, 16),  # the two ways have different weights
            (config("geometric", 30), 1, None),
            (config("base_graph", 25), 8, None),
            (config("random_out", 300), 1, None),
            (config("random_matching", 6), 8, 24),
        ):
            name, nodes = sections["topology"]["name"], sections["run"]["nodes"]
            root = ElementTree.fromstring(self.export(sections, "--svg", "-"))
            self.assertEqual(root.tag, SVG + "svg")
            self.assertEqual(len(root.findall(f".//{SVG}circle")), rounds * nodes, name)
            paths = root.findall(f".//{SVG}g[@class='edges']/{SVG}path")
            self.assertEqual(len(paths), lines or len(paths), name)
            self.assertGreater(len(paths), 0, name)
            arrows = [path for path in paths if "marker-end" in path.attrib]
            self.assertEqual(len(arrows), len(paths) if "directed" in name else len(arrows))
            width, height = float(root.attrib["width"]), float(root.attrib["height"])
            for panel in root.findall(f"{SVG}g"):
                left, top = map(float, re.fullmatch(r"translate\((\S+) (\S+)\)", panel.attrib["transform"]).groups())
                for circle in panel.findall(f".//{SVG}circle"):
                    self.assertTrue(0 < left + float(circle.attrib["cx"]) < width, name)
                    self.assertTrue(0 < top + float(circle.attrib["cy"]) < height, name)

    def test_svg_refers_to_nothing_outside_and_escapes_the_name(self):
        self.write("a&b <\"c\">.csv", "source,target\n0,1\n1,0\n")
        text = self.export(config("file", 2, file="a&b <\"c\">.csv"), "--svg", "-")
        title = ElementTree.fromstring(text).find(f"{SVG}title").text
        self.assertIn("a&b <\\\"c\\\">.csv", title)
        self.assertNotIn("href", text)
        self.assertEqual(text.count("http"), 1)
        self.assertTrue(json.loads(self.export(config("file", 2, file="a&b <\"c\">.csv"), "--json", "-")))

    def test_dot_has_a_digraph_a_round(self):
        text = self.export(config("three_rings", 4), "--dot", "-")
        graphs = re.findall(r"digraph (\w+) \{\n(.*?)\}\n", text, re.DOTALL)
        self.assertEqual([name for name, _ in graphs], ["round_0", "round_1", "round_2"])
        self.assertEqual("".join(f"digraph {name} {{\n{body}}}\n" for name, body in graphs), text)
        edges = [re.findall(r"^  (\d) -> (\d) \[label=\"0.5\"\];$", body, re.MULTILINE) for _, body in graphs]
        self.assertEqual(sorted(edges[1]), [("0", "3"), ("1", "0"), ("2", "1"), ("3", "2")])
        self.assertIn(" -> 599 [label", self.export(config("random_out", 600), "--dot", "-"), "however many")

    def test_files_are_written_besides_the_description(self):
        paths = [str(self.folder / name) for name in ("a.dot", "a.svg", "a.json")]
        text = self.export(config("ring", 5), "--dot", paths[0], "--svg", paths[1], "--json", paths[2])
        self.assertTrue(text.startswith("topology       ring\n"))
        self.assertTrue((self.folder / "a.dot").read_text().startswith("digraph round_0 {"))
        ElementTree.parse(paths[1])
        self.assertEqual(json.loads((self.folder / "a.json").read_text())["name"], "ring")

    def test_what_cannot_be_written_is_refused(self):
        path = self.write_config(config("complete", 300))
        for options, words in (
            (("--dot", "-", "--json", "-"), "expected one of --dot, --svg and --json to write to standard output"),
            (("--svg", str(self.folder / "no" / "a.svg")), "too many for a picture"),
            (("--dot", str(self.folder / "no" / "a.dot")), "--dot: cannot write "),
        ):
            result = self.command("topology", path, *options)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(words, result.stderr)
            self.assertEqual(result.stdout, "")


if __name__ == "__main__":
    main()
