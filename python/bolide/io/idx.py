"""IDX, the format of MNIST and its relatives: a magic number, the sizes, then big-endian values.

The magic number is two zero bytes, the type and the number of dims; each size is four bytes. Files
that end in .gz are unpacked while reading.
"""

from __future__ import annotations

import os

import bolide
from bolide._C import Tensor
from bolide.io.errors import FileFormatError
from bolide.io.files import read_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# type byte of the format: (dtype's name, bytes per value)
_TYPES = {
    0x08: ("uint8", 1),
    0x09: ("int8", 1),
    0x0B: ("int16", 2),
    0x0C: ("int32", 4),
    0x0D: ("float32", 4),
    0x0E: ("float64", 8),
}
_BYTE_FORMATS = {2: "h", 4: "i", 8: "q"}  # of the array module, to swap values of that many bytes
# deflate packs at most 1032 bytes into one, so a small file cannot ask for much memory
_MOST_UNPACKED = 1032


def read_idx(path: str | os.PathLike) -> Tensor:
    """The tensor in an IDX file, plain or .gz.

    Args:
        path: the file; a name that ends in ".gz" is unpacked.

    Returns:
        A CPU tensor of the file's sizes, of dtype uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileFormatError (a ValueError): another magic number, an unknown type, too few or too many
        bytes, or a
            damaged .gz; the text has the expected and the found value.
        OSError: the file cannot be read.

    Example:
        >>> read_idx("train-images-idx3-ubyte.gz").shape
        bolide.Size([60000, 28, 28])

    Reference: http://yann.lecun.com/exdb/mnist/ (The IDX file format).
    """
    name = os.fspath(path)
    file_size = os.path.getsize(name)
    if not name.endswith(".gz"):
        with open(name, "rb") as file:
            return _read(file, name, file_size)
    import gzip
    import zlib

    try:
        with gzip.open(name, "rb") as file:
            return _read(file, name, file_size * _MOST_UNPACKED)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFormatError(
            f"[read_idx] {name}: expected a whole .gz file, got a damaged one: {error}."
        ) from error


def _read(file: Any, name: str, most_bytes: int) -> Tensor:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise FileFormatError(
            f"[read_idx] {name}: expected the magic number 00 00 <type> <dims>, got "
            f"{magic.hex(' ') or 'nothing'}."
        )
    code, ndim = magic[2], magic[3]
    if code not in _TYPES:
        known = ", ".join(f"{known:#04x}" for known in _TYPES)
        raise FileFormatError(f"[read_idx] {name}: expected a type of {known}, got {code:#04x}.")
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise FileFormatError(
            f"[read_idx] {name}: expected {4 * ndim} bytes of sizes, got {len(sizes)}."
        )
    shape = [int.from_bytes(sizes[4 * i : 4 * i + 4], "big") for i in range(ndim)]
    dtype, width = _TYPES[code]
    expected = width
    for size in shape:
        expected *= size
    if expected > most_bytes:
        raise FileFormatError(
            f"[read_idx] {name}: expected {expected} bytes for shape {shape} of {dtype}, "
            f"got a file with at most {most_bytes}."
        )
    tensor = bolide.empty(shape, dtype=getattr(bolide, dtype))
    found = read_into(file, tensor)
    if found < expected:
        raise FileFormatError(
            f"[read_idx] {name}: expected {expected} bytes for shape {shape}, got {found}."
        )
    more = len(file.read(1024))
    if more:
        raise FileFormatError(
            f"[read_idx] {name}: expected {expected} bytes for shape {shape}, got at least "
            f"{expected + more}."
        )
    return _from_big_endian(tensor, width)


def _from_big_endian(tensor: Tensor, width: int) -> Tensor:
    import sys

    if width > 1 and sys.byteorder == "little" and tensor.numel():
        from array import array

        from bolide.io.files import bytes_of

        memory = bytes_of(tensor)
        values = array(_BYTE_FORMATS[width])
        values.frombytes(memory)
        values.byteswap()
        memory[:] = memoryview(values).cast("B")
    return tensor
