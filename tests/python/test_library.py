"""What libbolide.so asks of the dynamic loader."""

import struct
from pathlib import Path

import bolide

PT_TLS = 7


def tls_size(path):
    """Bytes of a 64-bit little-endian ELF file's thread-local block."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01"
    (headers_at,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        kind, _, _, _, _, _, memory_size, _ = struct.unpack_from(
            "<IIQQQQQQ", data, headers_at + i * size
        )
        if kind == PT_TLS:
            return memory_size
    return 0


def test_thread_local_variables_are_few():
    """They are of the kind that is fast but has to fit into what the loader keeps in reserve
    (1664 bytes for all libraries of a process that come late, with glibc's defaults)."""
    library = Path(bolide.__file__).parent / "libbolide.so"
    assert tls_size(library) <= 320
