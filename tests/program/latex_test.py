"""table.tex as pdflatex sees it, and the same hard texts in Markdown, in the page and in its figures.

What needs pdflatex skips where that is missing: `scripts/install_packages.sh latex`."""

import html
import re
import shutil
import subprocess
import unicodedata
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from program import ProgramTest, main, markdown_table, toml

ROOT = Path(__file__).resolve().parents[2]
BASE = {
    "run": {"nodes": 4, "steps": 20, "replicas": 2},
    "data": {"name": "synthetic", "samples": 200, "features": 8, "classes": 3, "batch": 4},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 10},
}
HARD = "_ % & # $ < > ~ ^ \\ { }"
SIGNS = "±×·−≤≥≈∞→←∈∅∇ αβγδεζηθικλμνξπρστυφχψω ΓΔΘΛΞΠΣΦΨΩ äèñçøåæœÉÖ"
NAMES = [f"[1] {HARD} é", "*2* `q` | \"s\" a--b 'c' ß ±1", "- 3 <b>&amp;</b> $x_1$ \\alpha %", "# 4 " + SIGNS]
FILES = ["ring _%&#$<>~^\\{}é.csv", "ring 2.csv"]  # values of a key that is swept
LABELS = {"topology.file": f"who {HARD} ±", "accuracy_mean": f"é {HARD}, mean", "bytes_wire": "[bytes] *sent* -- ``all''"}
MINIMAL = "\\documentclass{article}\n\\usepackage{booktabs}\n"
READABLE = MINIMAL + ("\\usepackage[T1]{fontenc}\n\\usepackage{lmodern}\n\\input{glyphtounicode}\\pdfgentounicode=1\n"
                      "\\setlength{\\textwidth}{180cm}\\setlength{\\hoffset}{-1in}\\pdfpagewidth=190cm\n"
                      "\\pdfpageheight=50cm\n\\hyphenpenalty=10000\n")
HAS_LATEX = shutil.which("pdflatex") is not None


def is_installed(package):
    return HAS_LATEX and subprocess.run(["kpsewhich", package], capture_output=True).returncode == 0


def flat(text):
    """Without spaces, of which pages have their own, and with one form of what fonts draw alike."""
    for shown, typed in (("’", "'"), ("‘", "`"), ("−", "-"), ("∆", "Δ"), ("⋅", "·")):
        text = text.replace(shown, typed)
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


class LatexTest(ProgramTest):
    def table(self, across=""):
        for name in FILES:
            self.write(name, "source,target\n0,1\n1,2\n2,3\n3,0\n" + ("0,2\n" if name == FILES[1] else ""))
        quoted = [re.sub(r'(["\\])', r"\\\1", text) for text in (*FILES, *NAMES)]
        lines = ["[sweep]", '"topology.file" = [' + ", ".join(f'"{file}"' for file in quoted[:2]) + "]"]
        points = [f'{{ name = "{name}", "optimizer.lr" = 0.{number} }}' for number, name in enumerate(quoted[2:], 1)]
        lines += ["point = [" + ", ".join(points) + "]", "[table]", 'columns = ["accuracy_mean", "bytes_wire"]',
                  f'across = "{across}"', "[table.labels]"]
        lines += ['"{}" = "{}"'.format(key, re.sub(r'(["\\])', r"\\\1", label)) for key, label in LABELS.items()]
        base = BASE | {"topology": {"name": "file"}}
        done = self.command("table", self.write("hard.toml", toml(base) + "\n".join(lines) + "\n"), "--out", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / "out"

    def compiled(self, tex, preamble):
        """The log of a document that is this table; its PDF is document.pdf."""
        self.write("document.tex", preamble + "\\begin{document}\\noindent\n\\input{shown.tex}\n\\end{document}\n")
        self.write("shown.tex", tex)
        done = subprocess.run(["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "document.tex"],
                              cwd=self.folder, capture_output=True, text=True, errors="replace", timeout=self.timeout)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + tex)
        return (self.folder / "document.log").read_text(errors="replace")

    @unittest.skipUnless(HAS_LATEX, "not installed: pdflatex")
    def test_tables_compile_and_show_what_was_typed(self):
        for across in ("", "topology.file"):
            out = self.table(across)
            tex = (out / "table.tex").read_text()
            self.compiled(tex, MINIMAL)
            if not is_installed("lmodern.sty"):
                continue
            self.assertNotIn("Overfull", self.compiled(tex, READABLE))
            if not shutil.which("pdftotext"):
                continue
            shown = flat(subprocess.run(["pdftotext", "-layout", "document.pdf", "-"], cwd=self.folder,
                                        capture_output=True, text=True, check=True).stdout)
            for text in (*NAMES, *FILES, *LABELS.values()):
                if across and text == LABELS["topology.file"]:
                    text += " = "
                self.assertIn(flat(text), shown)
            self.assertEqual(shown.count(flat(NAMES[0])), 1 if across else 2)

    def test_markdown_has_what_was_typed(self):
        head, *rows = markdown_table((self.table() / "table.md").read_text())
        self.assertEqual(head, ["method", LABELS["topology.file"], LABELS["accuracy_mean"], LABELS["bytes_wire"]])
        self.assertEqual([row[:2] for row in rows], [[name, file] for name in NAMES for file in FILES])

    def test_page_and_figures_have_what_was_typed(self):
        out = self.table()
        page = (out / "report.html").read_text()
        seen = {html.unescape(text) for text in re.findall(r"<(?:td|th|button|span)\b[^>]*>(?:<svg.*?</svg>)?([^<]*)<", page)}
        labels = [f"{name}, file={file}" for name in NAMES for file in FILES]
        self.assertEqual({*LABELS.values(), *FILES, *labels} - seen, set())
        pictures = list((out / "figures").glob("*.svg"))
        self.assertGreater(len(pictures), 10)
        texts = set()
        for picture in pictures:
            for element in ElementTree.parse(picture).getroot().iter():
                texts |= {element.text or "", element.get("data-row") or ""}
        self.assertEqual(set(labels) - texts, set())

    @unittest.skipUnless(HAS_LATEX and shutil.which("git"), "not installed: pdflatex, git")
    def test_tables_of_this_repository_compile(self):
        listed = subprocess.run(["git", "ls-files", "*table.tex"], cwd=ROOT, capture_output=True, text=True)
        for name in listed.stdout.splitlines():
            with self.subTest(name):
                self.compiled((ROOT / name).read_text(), MINIMAL)


if __name__ == "__main__":
    main()
