"""What the formats share: files that appear whole or not at all, and a tensor's memory as bytes."""

from __future__ import annotations

import os

from bolide._C import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class AtomicFile:
    """A file to write that appears under its name only when the ``with`` block ends without an
    error.

    It is written beside its place under a temporary name, brought to the disk and renamed; an error
    or Ctrl-C removes the temporary file and leaves an older file as it was. ``file`` is the open
    binary file and ``path`` the temporary path, for libraries that want a name.

    Example:
        >>> with AtomicFile("notes.txt") as output:
        ...     output.file.write(b"all or nothing")
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._final = os.path.realpath(os.fspath(path))  # a link stays a link
        folder, name = os.path.split(self._final)
        self.path = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")

    def __enter__(self) -> AtomicFile:
        self.file: BinaryIO = open(self.path, "xb")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: object) -> None:
        try:
            if error is None:
                self.file.flush()
                os.fsync(self.file.fileno())
            self.file.close()
            if error is None:
                os.replace(self.path, self._final)
        finally:
            if os.path.exists(self.path):
                os.unlink(self.path)


def bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor, to read or to write while the tensor lives."""
    size = tensor.numel() * tensor.element_size()
    if size == 0:
        return memoryview(b"")
    import ctypes

    return memoryview((ctypes.c_ubyte * size).from_address(tensor.data_ptr())).cast("B")


def read_into(file: BinaryIO, tensor: Tensor) -> int:
    """Fill the tensor's memory from the file and return how many bytes came."""
    memory = bytes_of(tensor)
    done = 0
    while done < len(memory):
        count = file.readinto(memory[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done
