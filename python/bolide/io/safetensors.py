"""safetensors: a JSON header with names, dtypes, shapes and offsets, then the bytes of all tensors.

The file is 8 bytes of header length (little-endian), the header, the buffer. Offsets count from the
buffer's start; the tensors cover it without gaps or overlaps. No code is ever run. A new dtype is
one entry of _DTYPES.

Reference: https://github.com/huggingface/safetensors (Format).
"""

from __future__ import annotations

import os

import bolide
from bolide._C import Tensor
from bolide.io.errors import FileFormatError
from bolide.io.files import AtomicFile, bytes_of, read_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

# name in the file: (name in bolide, bytes per value)
_DTYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "I16": ("int16", 2),
    "I32": ("int32", 4),
    "I64": ("int64", 8),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
_MOST_HEADER = 100_000_000  # the limit of the reference reader, in bytes
_LARGEST_SIZE = 2**63 - 1
_METADATA = "__metadata__"


# ---- writing -------------------------------------------------------------------------------------


def save_safetensors(
    tensors: dict[str, Tensor], path: str | os.PathLike, metadata: dict[str, str] | None = None
) -> None:
    """Write tensors under their names, for bolide and every other reader of the format.

    The file appears whole or not at all. Tensors on other devices are copied, views are written as
    they look.

    Args:
        tensors: name to tensor, as ``module.state_dict()`` gives.
        path: the file, replaced when it exists.
        metadata: further strings.

    Raises:
        TypeError: a name or a metadata value that is not a string, a value that is not a tensor,
            complex128.
        ValueError: the name "__metadata__".
        OSError: the file cannot be written.

    Example:
        >>> save_safetensors(model.state_dict(), "model.safetensors", {"epochs": "3"})
    """
    _check_names(tensors, metadata)
    codes = {getattr(bolide, name): (code, width) for code, (name, width) in _DTYPES.items()}
    entries = []
    for name, tensor in tensors.items():
        if tensor.dtype not in codes:
            raise TypeError(
                f"[save_safetensors] expected a dtype of {', '.join(_DTYPES)} for '{name}', got "
                f"{tensor.dtype}."
            )
        entries.append((name, tensor, *codes[tensor.dtype]))
    # widest values first, so that every tensor is aligned to its values, then by name, so that
    # equal tensors give equal files
    entries.sort(key=lambda entry: (-entry[3], entry[0]))
    header: dict[str, Any] = {_METADATA: metadata} if metadata else {}
    offset = 0
    for name, tensor, code, width in entries:
        end = offset + tensor.numel() * width
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    import json

    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with AtomicFile(path) as output:
        output.file.write(len(text).to_bytes(8, "little"))
        output.file.write(text)
        for _, tensor, _, _ in entries:
            plain = tensor.detach().cpu().contiguous()
            output.file.write(bytes_of(plain))


def _check_names(tensors: dict[str, Tensor], metadata: dict[str, str] | None) -> None:
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"[save_safetensors] expected names to be strings, got {name!r}.")
        if name == _METADATA:
            raise ValueError(f"[save_safetensors] expected any name but '{_METADATA}', got it.")
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"[save_safetensors] expected a Tensor for '{name}', got {type(tensor).__name__}."
            )
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"[save_safetensors] expected strings as metadata, got {key!r}: {value!r}."
            )


# ---- reading -------------------------------------------------------------------------------------


def load_safetensors(path: str | os.PathLike, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name, in the order of their bytes.

    Args:
        path: the file.
        device: where the tensors shall be.

    Raises:
        FileFormatError (a ValueError): the file is truncated, too long, or its header is not what
        the format
            says; the text has the expected and the found value. Nothing is returned then.
        OSError: the file cannot be read.

    Example:
        >>> model.load_state_dict(load_safetensors("model.safetensors"))
    """
    with open(path, "rb") as file:
        entries, _ = _read_header(file, os.fspath(path))
        tensors = {}
        for name, code, shape, begin, end in entries:
            tensor = bolide.empty(shape, dtype=getattr(bolide, _DTYPES[code][0]))
            found = read_into(file, tensor)
            if found != end - begin:  # the size was checked: the file was cut since
                raise _error(path, f"{end - begin} bytes for '{name}'", found)
            if code == "BOOL":
                _check_bools(path, name, tensor)
            tensors[name] = tensor if str(device) == "cpu" else tensor.to(device)
    return tensors


def read_safetensors_header(
    path: str | os.PathLike,
) -> tuple[dict[str, tuple[str, list[int]]], dict[str, str]]:
    """What a file holds, without reading the tensors: ({name: (dtype, shape)}, metadata).

    Raises as load_safetensors does.
    """
    with open(path, "rb") as file:
        entries, metadata = _read_header(file, os.fspath(path))
    return {name: (_DTYPES[code][0], shape) for name, code, shape, _, _ in entries}, metadata


def _error(path: Any, expected: str, got: Any) -> FileFormatError:
    return FileFormatError(f"[load_safetensors] {path}: expected {expected}, got {got}.")


def _check_bools(path: Any, name: str, tensor: Tensor) -> None:
    # any other byte would be neither true nor false to compiled code
    wrong = bytes_of(tensor).tobytes().translate(None, b"\0\1")
    if wrong:
        raise _error(path, f"bytes 0 and 1 in '{name}'", wrong[0])


def _read_header(
    file: BinaryIO, path: Any
) -> tuple[list[tuple[str, str, list[int], int, int]], dict[str, str]]:
    file_size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    if len(start) < 8:
        raise _error(path, "at least 8 bytes", len(start))
    length = int.from_bytes(start, "little")
    if length > _MOST_HEADER:
        raise _error(path, f"a header of at most {_MOST_HEADER} bytes", length)
    if length > file_size - 8:
        raise _error(
            path, f"a header of {length} bytes", f"a file with {file_size - 8} after the length"
        )
    header = _parse(file.read(length), path)
    metadata = _check_metadata(header.pop(_METADATA, {}), path)
    entries = [_check_entry(name, entry, path) for name, entry in header.items()]
    _check_cover(entries, file_size - 8 - length, path)
    return entries, metadata


def _parse(text: bytes, path: Any) -> dict[str, Any]:
    import json

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _error(path, "every name once", f"{twice!r} {keys.count(twice)} times")
        return found

    if not text.startswith(b"{"):
        raise _error(path, "a header that starts with '{'", repr(text[:1]))
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=without_duplicates)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise _error(path, "a header of JSON in UTF-8", error) from error
    return header


def _check_metadata(metadata: Any, path: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise _error(path, f"strings in '{_METADATA}'", repr(metadata)[:80])
    return metadata


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_SIZE  # bool is an int to isinstance


def _check_entry(name: str, entry: Any, path: Any) -> tuple[str, str, list[int], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _error(path, f"dtype, shape and data_offsets for '{name}'", repr(entry)[:80])
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise _error(path, f"a dtype of {', '.join(_DTYPES)} for '{name}'", repr(code)[:80])
    if not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise _error(path, f"a list of sizes as shape of '{name}'", repr(shape)[:80])
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise _error(path, f"two offsets for '{name}'", repr(offsets)[:80])
    expected = _DTYPES[code][1]
    for size in shape:
        expected *= size
        if expected > _LARGEST_SIZE and 0 not in shape:
            raise _error(path, f"a shape of at most {_LARGEST_SIZE} bytes for '{name}'", shape)
    begin, end = offsets
    if end - begin != expected:
        raise _error(
            path,
            f"{expected} bytes for '{name}' of shape {shape} and dtype {code}",
            f"offsets {offsets}",
        )
    return name, code, shape, begin, end


def _check_cover(entries: list[tuple[str, str, list[int], int, int]], size: int, path: Any) -> None:
    entries.sort(key=lambda entry: (entry[3], entry[4]))
    position = 0
    for name, _, _, begin, end in entries:
        if begin != position:
            raise _error(
                path, f"'{name}' to begin at byte {position}, without gap or overlap", begin
            )
        position = end
    if position != size:
        raise _error(path, f"{position} bytes of tensors", size)
