"""Reading and writing files of tensors: safetensors (weights) and IDX (the MNIST family).

Both formats come from strangers, so readers believe nothing: every count is checked against the
    file's size
before memory is asked for, and what does not fit raises FileFormatError with the expected and the
found value.
"""

from bolide.io.errors import FileFormatError
from bolide.io.files import AtomicFile
from bolide.io.idx import read_idx
from bolide.io.safetensors import load_safetensors, read_safetensors_header, save_safetensors

__all__ = [
    "AtomicFile",
    "FileFormatError",
    "load_safetensors",
    "read_idx",
    "read_safetensors_header",
    "save_safetensors",
]
