"""What the tests of the Python package share: where it is, what may be missing here, and data whose labels they know."""

import importlib
import sys
import unittest
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "program")]

from program import ProgramTest, main  # noqa: E402,F401


def needs(*packages):
    """Skips a test where a package cannot be imported."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            return unittest.skip(f"{package} cannot be imported: {error}")
    return lambda test: test


def digits(part):
    """Features [n, 64], normalized, and labels of the embedded digits; every sixth is for the test."""
    lines = (ROOT / "data/sets/digits_images.inc").read_text().split('"')[1::2]
    chosen = [line for i, line in enumerate(lines) if (i % 6 == 5) == (part == "test")]
    pixels = np.array([[ord(letter) - ord("A") for letter in line[1:]] for line in chosen])
    return (pixels / 16).astype("f4"), np.array([int(line[0]) for line in chosen])


def spread(count, samples):
    """The samples that evaluate.samples chooses of `count`."""
    return [(2 * k + 1) * count // (2 * samples) for k in range(samples)]


def images(samples, channels, side, seed, classes=4):
    """Bytes [samples, channels, side, side] and labels: a class has a brighter quarter, in noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, samples)
    pixels = random.integers(0, 120, (samples, channels, side, side))
    half = side // 2
    for image, label in zip(pixels, labels):
        image[:, label // 2 * half :, label % 2 * half :][:, :half, :half] += 100
    return pixels.astype("u1"), labels


class ReaderTest(ProgramTest):
    def train(self, out, sections, *arguments):
        """A finished run of these sections, as the package reads it."""
        import sparsepush

        return sparsepush.load(self.run_ok(self.write_config(sections), out, *arguments))
