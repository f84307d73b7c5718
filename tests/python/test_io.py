"""bolide.io and bolide.datasets: round trips, other readers and writers, and files that lie."""

import gzip
import hashlib
import json
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import bolide
import pytest
from bolide import datasets, io

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
]


def sample(dtype):
    tensor = bolide.arange(6).reshape(2, 3) - (0 if dtype in ("bool", "uint8") else 2)
    return tensor.to(getattr(bolide, dtype))


def same(a, b):
    return a.dtype == b.dtype and tuple(a.shape) == tuple(b.shape) and a.tolist() == b.tolist()


def tensors_of_all_kinds():
    tensors = {dtype: sample(dtype) for dtype in DTYPES}
    tensors["scalar"] = bolide.tensor(2.5)
    tensors["empty"] = bolide.zeros(0, 3)
    tensors["transposed"] = bolide.arange(6.0).reshape(2, 3).t()
    tensors["a slice, with ünïcode"] = bolide.arange(10)[3:7:2]
    return tensors


# ---- safetensors ---------------------------------------------------------------------------------


def test_safetensors_round_trip(tmp_path):
    path = tmp_path / "all.safetensors"
    tensors = tensors_of_all_kinds()
    io.save_safetensors(tensors, path, {"epochs": "3"})
    loaded = io.load_safetensors(path)
    assert loaded.keys() == tensors.keys()
    assert all(same(loaded[name], tensor) for name, tensor in tensors.items())
    header, metadata = io.read_safetensors_header(path)
    assert metadata == {"epochs": "3"}
    assert header["bfloat16"] == ("bfloat16", [2, 3])
    assert header["scalar"] == ("float32", [])


def test_equal_tensors_give_equal_files(tmp_path):
    tensors = tensors_of_all_kinds()
    io.save_safetensors(tensors, tmp_path / "a")
    io.save_safetensors(dict(reversed(tensors.items())), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_parameters_and_empty_files(tmp_path):
    layer = bolide.nn.Linear(3, 2)
    io.save_safetensors(layer.state_dict(keep_vars=True), tmp_path / "layer")
    assert same(io.load_safetensors(tmp_path / "layer")["weight"], layer.weight)
    io.save_safetensors({}, tmp_path / "nothing")
    assert io.load_safetensors(tmp_path / "nothing") == {}


def test_the_reference_package_reads_and_writes_the_same(tmp_path):
    reference = pytest.importorskip("safetensors")
    tensors = tensors_of_all_kinds()
    path = tmp_path / "ours"
    io.save_safetensors(tensors, path, {"key": "value"})
    names = {name: code for code, (name, _) in io.safetensors._DTYPES.items()}
    found = dict(reference.deserialize(path.read_bytes()))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name]["dtype"] == names[str(tensor.dtype).rpartition(".")[2]]
        assert found[name]["shape"] == list(tensor.shape)
        assert bytes(found[name]["data"]) == io.files.bytes_of(tensor.contiguous()).tobytes()

    numpy = pytest.importorskip("numpy")
    from safetensors.numpy import save_file

    arrays = {"x": numpy.arange(6, dtype="f8").reshape(2, 3), "y": numpy.array(3, "i2")}
    save_file(arrays, tmp_path / "theirs", {"by": "them"})
    loaded = io.load_safetensors(tmp_path / "theirs")
    assert {name: tensor.tolist() for name, tensor in loaded.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "x"
    for tensors, metadata, error, text in [
        ({1: bolide.zeros(1)}, None, TypeError, "names to be strings, got 1"),
        ({"x": [1.0]}, None, TypeError, "expected a Tensor for 'x', got list"),
        ({"__metadata__": bolide.zeros(1)}, None, ValueError, "any name but '__metadata__'"),
        ({"x": bolide.zeros(1)}, {"n": 3}, TypeError, "strings as metadata, got 'n': 3"),
        (
            {"x": bolide.zeros(1, dtype=bolide.complex128)},
            None,
            TypeError,
            "for 'x', got .*complex128",
        ),
    ]:
        with pytest.raises(error, match=text):
            io.save_safetensors(tensors, path, metadata)
    assert os.listdir(tmp_path) == []


def write(path, header, buffer=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + buffer)
    return path


def entry(begin=0, end=8, shape=(2,), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


def test_headers_with_padding_and_any_order_are_read(tmp_path):
    buffer = struct.pack("<4f", 1, 2, 3, 4)
    header = {
        "b": entry(8, 16),
        "a": entry(0, 8),
        "none": entry(8, 8, (0, 7)),
        "__metadata__": {"k": "v"},
    }
    path = write(tmp_path / "x", json.dumps(header, indent=3).encode() + b"   \n", buffer)
    loaded = io.load_safetensors(path)
    assert {name: tensor.tolist() for name, tensor in loaded.items()} == {
        "a": [1, 2],
        "none": [],
        "b": [3, 4],
    }


HOSTILE = {
    "header longer than the file": (
        {},
        b"",
        2**20,
        "a header of 1048576 bytes, got a file with 2 after the length",
    ),
    "length that overflows": (
        {},
        b"",
        2**64 - 1,
        "at most 100000000 bytes, got 18446744073709551615",
    ),
    "empty header": (b"", b"", None, r"starts with '\{', got b''"),
    "header that is a list": (b"[]", b"", None, r"starts with '\{', got b'\['"),
    "not JSON": (b'{"a": }', b"", None, "a header of JSON"),
    "not UTF-8": (b'{"\xff": 1}', b"", None, "a header of JSON in UTF-8"),
    "nested without end": (b'{"a":' * 100_000, b"", None, "a header of JSON"),
    "name twice": (b'{"a": 1, "a": 2}', b"", None, "every name once, got 'a' 2 times"),
    "key twice": (b'{"a": {"dtype": "F32", "dtype": "F64"}}', b"", None, "got 'dtype' 2 times"),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b"", None, "strings in '__metadata__'"),
    "entry that is a number": ({"a": 3}, b"", None, "data_offsets for 'a', got 3"),
    "missing field": ({"a": {"dtype": "F32", "shape": [2]}}, b"", None, "data_offsets for 'a'"),
    "further field": ({"a": entry(more=1)}, bytes(8), None, "data_offsets for 'a'"),
    "unknown dtype": ({"a": entry(dtype="F33")}, bytes(8), None, "got 'F33'"),
    "dtype that is a list": ({"a": entry(dtype=["F32"])}, bytes(8), None, r"got \['F32'\]"),
    "negative size": ({"a": entry(shape=[-2])}, bytes(8), None, r"as shape of 'a', got \[-2\]"),
    "size that is true": (
        {"a": entry(shape=[True, 2])},
        bytes(8),
        None,
        r"as shape of 'a', got \[True, 2\]",
    ),
    "size with a point": (
        {"a": entry(shape=[2.0])},
        bytes(8),
        None,
        r"as shape of 'a', got \[2.0\]",
    ),
    "sizes that overflow": (
        {"a": entry(shape=[2**40, 2**40])},
        bytes(8),
        None,
        "at most 9223372036854775807 bytes",
    ),
    "sizes that wrap to the right count": (
        {"a": entry(shape=[2**32, 2**31, 2])},
        b"",
        None,
        "at most 9223372036854775807 bytes",
    ),
    "three offsets": (
        {"a": {**entry(), "data_offsets": [0, 8, 8]}},
        bytes(8),
        None,
        "two offsets for 'a'",
    ),
    "negative offset": ({"a": entry(-8, 0)}, bytes(8), None, r"two offsets for 'a', got \[-8, 0\]"),
    "offsets backwards": (
        {"a": entry(8, 0)},
        bytes(8),
        None,
        r"expected 8 bytes for 'a' .* got offsets \[8, 0\]",
    ),
    "too few bytes for the shape": (
        {"a": entry(0, 4)},
        bytes(4),
        None,
        r"expected 8 bytes for 'a' .*\[0, 4\]",
    ),
    "offset beyond the file": (
        {"a": entry(0, 8)},
        bytes(4),
        None,
        "expected 8 bytes of tensors, got 4",
    ),
    "bytes left over": ({"a": entry(0, 8)}, bytes(9), None, "expected 8 bytes of tensors, got 9"),
    "overlap": (
        {"a": entry(0, 8), "b": entry(4, 12)},
        bytes(12),
        None,
        "'b' to begin at byte 8, .* got 4",
    ),
    "the same bytes twice": (
        {"a": entry(0, 8), "b": entry(0, 8)},
        bytes(8),
        None,
        "begin at byte 8, .* got 0",
    ),
    "gap": (
        {"a": entry(0, 8), "b": entry(12, 20)},
        bytes(20),
        None,
        "'b' to begin at byte 8, .* got 12",
    ),
    "bool that is neither": (
        {"a": entry(0, 2, (2,), "BOOL")},
        b"\x01\x02",
        None,
        "bytes 0 and 1 in 'a', got 2",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_safetensors(tmp_path, case):
    header, buffer, length, text = HOSTILE[case]
    path = write(tmp_path / "hostile", header, buffer, length)
    with pytest.raises(io.FileFormatError, match=text) as caught:
        io.load_safetensors(path)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, bolide.BolideError)
    assert "hostile" in str(caught.value)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "x"
    io.save_safetensors({"a": bolide.arange(4.0), "b": bolide.ones(2)}, path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(io.FileFormatError, match="got"):
            io.load_safetensors(path)


def test_changed_header_bytes_never_do_worse_than_an_error(tmp_path):
    path = tmp_path / "x"
    io.save_safetensors({"a": bolide.arange(4.0), "b": bolide.ones(2, dtype=bolide.int8)}, path)
    whole = path.read_bytes()
    header_end = 8 + int.from_bytes(whole[:8], "little")
    refused = 0
    for position in range(header_end):
        for change in (0x01, 0x10, 0x80):
            changed = bytearray(whole)
            changed[position] ^= change
            path.write_bytes(changed)
            try:
                loaded = io.load_safetensors(path)
            except io.FileFormatError:
                refused += 1
            else:  # another name or another dtype of the same size is a valid file too
                assert sum(tensor.numel() for tensor in loaded.values()) > 0
    assert refused > header_end


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        io.load_safetensors(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        io.save_safetensors({}, tmp_path / "absent" / "x")


# ---- files that appear whole or not at all -------------------------------------------------------


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_an_error_while_writing_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), io.AtomicFile(path) as output:
        output.file.write(b"half of the n")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_replaced_through_its_link(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(path)
    with io.AtomicFile(link) as output:
        output.file.write(b"new")
        output.file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


# ---- IDX -----------------------------------------------------------------------------------------


def idx(code, shape, values, form):
    return (
        bytes([0, 0, code, len(shape)])
        + struct.pack(f">{len(shape)}I", *shape)
        + struct.pack(f">{len(values)}{form}", *values)
    )


@pytest.mark.parametrize(
    ("code", "form", "dtype", "values"),
    [
        (0x08, "B", "uint8", [0, 1, 200, 255, 3, 4]),
        (0x09, "b", "int8", [0, -1, 127, -128, 3, 4]),
        (0x0B, "h", "int16", [0, -1, 32767, -32768, 258, 4]),
        (0x0C, "i", "int32", [0, -1, 2**31 - 1, -(2**31), 66051, 4]),
        (0x0D, "f", "float32", [0.0, -1.5, 2.0**100, 0.25, 3.0, 4.0]),
        (0x0E, "d", "float64", [0.0, -1.5, 1e300, 0.1, 3.0, 4.0]),
    ],
)
def test_idx_of_every_type(tmp_path, code, form, dtype, values):
    content = idx(code, (2, 3), values, form)
    (tmp_path / "x").write_bytes(content)
    (tmp_path / "x.gz").write_bytes(gzip.compress(content))
    for name in ("x", "x.gz"):
        tensor = io.read_idx(tmp_path / name)
        assert tensor.dtype == getattr(bolide, dtype)
        assert tensor.tolist() == [values[:3], values[3:]]


def test_idx_without_dims_and_without_values(tmp_path):
    (tmp_path / "x").write_bytes(idx(0x08, (), [7], "B"))
    assert io.read_idx(tmp_path / "x").item() == 7
    (tmp_path / "x").write_bytes(idx(0x0B, (0, 3), [], "h"))
    assert tuple(io.read_idx(tmp_path / "x").shape) == (0, 3)


GOOD_IDX = idx(0x08, (2, 3), range(6), "B")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "magic number 00 00 <type> <dims>, got nothing"),
        (b"PK\x03\x04" + GOOD_IDX, "got 50 4b 03 04"),
        (b"\0\0\x0a\x01" + GOOD_IDX[4:], "got 0x0a"),
        (GOOD_IDX[:9], "expected 8 bytes of sizes, got 5"),
        (GOOD_IDX[:-1], r"expected 6 bytes for shape \[2, 3\]"),
        (GOOD_IDX + b"\0", "expected 6 bytes .*, got at least 7"),
        (
            idx(0x08, (2**32 - 1,) * 3, [1], "B"),
            f"expected {(2**32 - 1) ** 3} bytes .* got a file with at most",
        ),
        (idx(0x0E, (2**30,), [1.0], "d"), f"expected {2**33} bytes .* got a file with at most"),
        (bytes([0, 0, 8, 255]) + b"\1" * 100, "expected 1020 bytes of sizes, got 100"),
    ],
    ids=str,
)
@pytest.mark.parametrize("packed", [False, True])
def test_hostile_idx(tmp_path, content, text, packed):
    path = tmp_path / ("hostile.gz" if packed else "hostile")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(io.FileFormatError, match=text) as caught:
        io.read_idx(path)
    assert "hostile" in str(caught.value)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "x.gz"
    whole = gzip.compress(idx(0x08, (100, 10), os.urandom(1000), "B"))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x55
    for content in (whole[: len(whole) // 2], whole[:-4], bytes(flipped), GOOD_IDX, b""):
        path.write_bytes(content)
        with pytest.raises(io.FileFormatError):
            io.read_idx(path)


def test_a_small_gzip_cannot_ask_for_much_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(0x08, (2**31, 1), [1] * 1000, "B")))
    with pytest.raises(io.FileFormatError, match=f"expected {2**31} bytes"):
        io.read_idx(path)


# ---- Fashion-MNIST -------------------------------------------------------------------------------


def put_fashion_mnist(folder, count=3, labels=None, size=28):
    labels = list(range(count)) if labels is None else labels
    images = [number % 256 for number in range(count * size * size)]
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(idx(8, (count, size, size), images, "B"))
        )
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(8, (len(labels),), labels, "B"))
        )
    return folder


def test_fashion_mnist_from_a_folder(tmp_path):
    images, labels = datasets.fashion_mnist(train=False, folder=put_fashion_mnist(tmp_path))
    assert (images.dtype, tuple(images.shape)) == (bolide.uint8, (3, 28, 28))
    assert (labels.dtype, labels.tolist()) == (bolide.int64, [0, 1, 2])
    assert images[0, 1, 2].item() == 30
    with pytest.raises(FileNotFoundError):
        datasets.fashion_mnist(folder=tmp_path / "absent")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"labels": [1, 2]}, r"got \[3, 28, 28\] and \[2\]"),
        ({"size": 27}, r"got \[3, 27, 27\] and \[3\]"),
        ({"labels": [1, 2, 10]}, "labels below 10, got 10"),
    ],
    ids=str,
)
def test_fashion_mnist_that_does_not_fit_together(tmp_path, options, text):
    with pytest.raises(io.FileFormatError, match=text):
        datasets.fashion_mnist(folder=put_fashion_mnist(tmp_path, **options))


class Served(BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.content.get(self.path.rpartition("/")[2])
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def download_from(tmp_path, monkeypatch):
    """Makes the download sources a server on this machine with the given files, and the cache a new
    folder.
    """
    server = HTTPServer(("127.0.0.1", 0), Served)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    source = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(datasets, "_SOURCES", (source + "absent/", source))
    monkeypatch.setattr(datasets, "_DEBIAN_FOLDER", str(tmp_path / "no-debian"))
    monkeypatch.setenv("BOLIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def serve(content):
        server.content = content
        return tmp_path / "cache" / "fashion-mnist"

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()


def test_fashion_mnist_is_downloaded_once(tmp_path, monkeypatch, download_from):
    files = {path.name: path.read_bytes() for path in put_fashion_mnist(tmp_path).glob("*.gz")}
    sums = {
        name.removesuffix("-ubyte.gz"): hashlib.sha256(gzip.decompress(packed)).hexdigest()
        for name, packed in files.items()
    }
    monkeypatch.setattr(datasets, "_SHA256", sums)
    cache = download_from(files)
    assert datasets.fashion_mnist()[1].tolist() == [0, 1, 2]
    assert sorted(os.listdir(cache)) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    download_from({})
    assert datasets.fashion_mnist()[1].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "content", [gzip.compress(GOOD_IDX), b"<html>", None], ids=["other", "page", "absent"]
)
def test_a_download_that_is_something_else_is_not_kept(download_from, content):
    cache = download_from(dict.fromkeys([f"{name}-ubyte.gz" for name in datasets._SHA256], content))
    with pytest.raises(
        OSError, match=r"train-images.*could not be downloaded.*dataset-fashion-mnist"
    ):
        datasets.fashion_mnist()
    assert os.listdir(cache) == []
