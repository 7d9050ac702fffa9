"""The pages hold what `sparsepush keys` and `sparsepush methods` print, and README.md names every subcommand."""

import difflib
import re
import sys
from pathlib import Path

from program import ProgramTest, main

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import generate  # noqa: E402

README = (ROOT / "README.md").read_text()


class GeneratedTest(ProgramTest):
    def test_the_pages_are_up_to_date(self):
        parts = []
        for page in generate.PAGES:
            text = page.read_text()
            parts += [(page.name, match["part"]) for match in generate.PART.finditer(text)]
            lines = text.splitlines(), generate.renewed(text, self.program).splitlines()
            difference = "\n".join(difflib.unified_diff(*lines, page.name, "generated", lineterm="", n=0))
            if difference:
                self.fail(f"{page.name} is not up to date; run scripts/generate.py\n{difference}")
        expected = [("README.md", "methods, short"), ("configuration.md", "keys"), ("methods.md", "methods")]
        self.assertEqual(parts, expected)

    def test_what_stands_between_markers_is_replaced_and_nothing_else(self):
        begin, end = "<!-- sparsepush keys: begin -->\n", "\n<!-- sparsepush keys: end -->"
        table = self.command("keys", "--markdown").stdout.rstrip("\n")
        text = f"before\n{begin}an old table\n{end}\nafter\n"
        self.assertEqual(generate.renewed(text, self.program), f"before\n{begin}{table}{end}\nafter\n")
        self.assertEqual(generate.renewed("no markers\n", self.program), "no markers\n")

    def test_the_short_form_has_every_method_and_model_and_no_refusal(self):
        def cells(table):
            return [line.strip("| ").split(" | ") for line in table.splitlines()]

        printed = self.command("methods", "--markdown").stdout.rstrip("\n")
        methods, models, legend = generate.short(printed).split("\n\n")
        whole_methods, whole_models, refusals, conditions = printed.split("\n\n")
        self.assertEqual((models, legend), (whole_models, conditions.splitlines()[0]))
        self.assertIn("| refused |", refusals)
        head, line, *rows = cells(methods)
        self.assertEqual(head, ["method", "messages", "compressors", "needs", "backends"])
        self.assertEqual("".join(line), "---|" * 4 + "---")
        whole_head, _, *whole_rows = cells(whole_methods)
        self.assertGreater(len(rows), 10)
        self.assertEqual([dict(zip(head, row)) for row in rows],
                         [{name: row[whole_head.index(name)] for name in head} for row in whole_rows])

    def test_the_readme_and_the_help_have_the_same_subcommands(self):
        listed = self.command("--help").stdout.split("ubcommands:")[1]
        shown = README.split("## Tour")[1].split("```")[1]
        subcommands = set(re.findall(r"^  (\w+)", listed, re.MULTILINE))
        self.assertEqual(subcommands, set(re.findall(r"^sparsepush (\w+)", shown, re.MULTILINE)))


class PrintedTest(ProgramTest):
    def printed(self, *arguments):
        done = self.command(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_plain_text_has_the_words_of_markdown(self):
        def words(text):
            return sorted(word for word in re.split(r"[\s|]+", text.replace("`", "")) if word.strip("-"))

        for name in ("keys", "methods"):
            with self.subTest(name):
                self.assertEqual(words(self.printed(name)), words(self.printed(name, "--markdown")))

    def test_every_key_of_a_run_is_listed_with_its_default(self):
        rows = re.findall(r"^\| `([\w.]+)` \| .*? \| `(.*?)` \|", self.printed("keys", "--markdown"), re.MULTILINE)
        defaults = dict(rows)
        set_here = {"run": {"steps": 1, "nodes": 2}}
        config = (self.run_ok(self.write_config(set_here), "run") / "config.toml").read_text()
        section = ""
        for line in config.splitlines():
            section = line.strip("[]") if line.startswith("[") else section
            key, equals, value = line.partition(" = ")
            if equals and key not in set_here.get(section, []) and key not in ("averaging_rate", "compressor"):
                self.assertEqual(defaults[f"{section}.{key}"], value, key)

    def test_what_is_listed_as_refused_with_a_topology_is_refused(self):
        rows = re.findall(
            r"^\| `(\w+)` \| (.*?) \| (algorithm\.name: .*) \|$", self.printed("methods", "--markdown"), re.MULTILINE
        )
        self.assertTrue(rows)
        config = self.write("defaults.toml", "")
        for method, topologies, why in rows:
            for name, keys in re.findall(r"`(\w+)`(?: \((.*?)\))?", topologies):
                nodes = 4 if name == "three_rings" else 8  # that is for no other number
                settings = [f"algorithm.name={method}", f"topology.name={name}", f"run.nodes={nodes}"]
                settings += [f"topology.{key}" for key in keys.split(", ") if key]
                done = self.command("plan", config, *(word for setting in settings for word in ("--set", setting)))
                self.assertEqual((done.returncode, done.stderr.strip()), (2, why))


if __name__ == "__main__":
    main()
