#!/usr/bin/env python3
"""Writes data/sets/digits_images.inc from scikit-learn's copy of the digits: one line an image, its label as a digit,
then its 64 pixels of 0 to 16 as the letters A to Q, row by row. Usage: make_digits.py [OUTPUT]"""
import pathlib
import sys

from sklearn.datasets import load_digits

digits = load_digits()
default = pathlib.Path(__file__).parent / "digits_images.inc"
with open(sys.argv[1] if len(sys.argv) > 1 else default, "w") as out:
    for pixels, label in zip(digits.data.astype(int), digits.target):
        out.write('"%d%s",\n' % (label, "".join(chr(ord("A") + p) for p in pixels)))
