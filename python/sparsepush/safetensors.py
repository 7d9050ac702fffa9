"""Reads safetensors files as arrays that are views of the file."""

import json
import mmap
import struct

import numpy as np

from .errors import RunError

DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "U8": np.dtype("u1")}
SIZE_BYTES = 8  # of the number before the header
MOST_HEADER_BYTES = 100_000_000  # as the format's reference implementation


def read_safetensors(path):
    """Maps a file: its tensors by name, read-only, and its metadata. RunError if it is damaged or of another kind."""
    try:
        data = _map(path)
        begin = _header_end(path, data)
        header = _parse(path, data[SIZE_BYTES:begin])
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise RunError(path, "expected __metadata__ to be an object of strings")
        return _tensors(path, header, data[begin:]), metadata
    except FileNotFoundError as error:
        raise RunError(path, "no such file") from error
    except OSError as error:
        raise RunError(path, f"cannot be read: {error.strerror}") from error


def _map(path):
    """Bytes of the file. They stay as they are when the program puts another checkpoint in its place."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if size < SIZE_BYTES:
            raise RunError(path, f"expected a safetensors file, this has only {size} bytes")
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def _header_end(path, data):
    (size,) = struct.unpack("<Q", data[:SIZE_BYTES].tobytes())
    if size > MOST_HEADER_BYTES:
        raise RunError(path, f"not a safetensors file: it claims a header of {size} bytes")
    if size > len(data) - SIZE_BYTES:
        raise RunError(path, f"truncated: it claims a header of {size} bytes, but has only {len(data)} bytes in all")
    return SIZE_BYTES + size


def _parse(path, text):
    try:
        header = json.loads(text.tobytes())
    except (ValueError, RecursionError) as error:
        raise RunError(path, "the header is not valid JSON in UTF-8") from error
    if not isinstance(header, dict):
        raise RunError(path, "the header is not a JSON object")
    return header


def _tensors(path, header, data):
    tensors, covered = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: _begin(path, *item)):
        begin, end = entry["data_offsets"]
        if begin != covered:
            raise RunError(path, f'tensor "{name}" begins at byte {begin} of the data; expected {covered}')
        if end > len(data):
            raise RunError(path, f'truncated: tensor "{name}" ends at byte {end} of the data, which has {len(data)}')
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        try:
            tensors[name] = data[begin:end].view(dtype).reshape(shape)
        except ValueError as error:
            raise RunError(path, f'tensor "{name}" has {end - begin} bytes, not those of {shape}') from error
        covered = end
    if covered != len(data):
        raise RunError(path, f"the tensors take {covered} bytes of data; the file has {len(data)}")
    return tensors


def _begin(path, name, entry):
    """Where a tensor begins; refuses entries that are not as the format has them."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise RunError(path, f'tensor "{name}": expected an object with dtype, shape and data_offsets')
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise RunError(path, f'tensor "{name}" has dtype {entry["dtype"]!r}; expected {", ".join(DTYPES)}')
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise RunError(path, f'tensor "{name}": expected a shape of sizes and data_offsets [begin, end]')
    return offsets


def _are_sizes(values):
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)
