"""The buffer protocol, NumPy's protocols and __cuda_array_interface__, in both directions."""

import array
import ctypes
import sys

import bolide
import pytest
from dlpack_fakes import live_bytes

numpy = pytest.importorskip("numpy")

FORMATS = {
    "bool": "?",
    "uint8": "B",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "complex64": "Zf",
    "complex128": "Zd",
}


# ---- buffers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_a_memoryview_shows_the_memory(name):
    x = bolide.arange(6).reshape(2, 3).to(getattr(bolide, name))
    view = memoryview(x)
    assert (view.format, view.shape, view.itemsize) == (FORMATS[name], (2, 3), x.itemsize)
    assert view.strides == (3 * x.itemsize, x.itemsize) and not view.readonly
    back = bolide.from_numpy(numpy.asarray(view))
    assert back.dtype is x.dtype and back.data_ptr() == x.data_ptr() and back.tolist() == x.tolist()


def test_views_and_sizes_of_a_memoryview():
    x = bolide.arange(24.0).reshape(4, 6)
    for view in (x.t(), x[::2, 1:], x[1, 2], x[:, :0], x[:0]):
        shown = memoryview(view)
        assert shown.shape == tuple(view.shape) and shown.tolist() == view.tolist()
        assert numpy.asarray(view).tolist() == view.tolist()
    memoryview(x)[1, 2] = -5.0
    assert x[1, 2].item() == -5.0
    assert bytes(bolide.tensor([1, 2], dtype=bolide.int16)) == b"\1\0\2\0"


def test_a_memoryview_keeps_the_memory_but_not_the_tensor():
    start = live_bytes()
    x = bolide.arange(1000.0)
    view = memoryview(x)
    x.data = bolide.zeros(3)
    assert view[999] == 999.0 and x.tolist() == [0.0] * 3
    del x
    assert view[5] == 5.0 and live_bytes() > start
    del view
    assert live_bytes() == start


def test_buffers_that_are_refused():
    x = bolide.ones(2, requires_grad=True)
    with pytest.raises(BufferError, match="detach"):
        memoryview(x)
    assert memoryview(x.detach()).tolist() == [1.0, 1.0]
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(bolide.ones(2, dtype=bolide.bfloat16))
    fixed = bolide.from_numpy(numpy.frombuffer(b"12345678"))
    assert memoryview(fixed).readonly
    with pytest.raises(TypeError, match=r"not writable|read-only"):
        ctypes.c_char.from_buffer(fixed)
    with pytest.raises(BufferError, match="contiguous"):
        array.array("f").frombytes(bolide.ones(4, 6)[:, ::2])


def test_files_read_into_tensors(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(bolide.arange(4.0))
    x = bolide.empty(4)
    with open(path, "rb") as file:
        assert file.readinto(x) == 16
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_buffers_stay_on_their_device(device):
    x = bolide.ones(2, device=device)
    if device == "cpu":
        assert memoryview(x).tolist() == [1.0, 1.0]
        return
    with pytest.raises(BufferError, match="cpu"):
        memoryview(x)
    with pytest.raises(TypeError, match="cpu"):
        numpy.asarray(x)


# ---- NumPy ------------------------------------------------------------------------------------------------------


def test_asarray_shares_and_copies_as_asked():
    x = bolide.arange(4.0)
    assert numpy.asarray(x).ctypes.data == x.data_ptr() == numpy.array(x, copy=False).ctypes.data
    assert numpy.array(x).ctypes.data != x.data_ptr()
    assert x.__array__().ctypes.data == x.data_ptr() != x.__array__(copy=True).ctypes.data
    wide = numpy.asarray(x, dtype="float64")
    assert (
        wide.dtype == "float64" and wide.tolist() == x.tolist() == x.__array__("float64").tolist()
    )
    with pytest.raises(ValueError):
        numpy.array(x, dtype="float64", copy=False)
    with pytest.raises(ValueError):
        x.__array__("float64", False)
    with pytest.raises(RuntimeError, match="detach"):
        numpy.asarray(x.requires_grad_())


def test_operators_with_numpy_are_ours():
    a, x = numpy.full(2, 3.0), bolide.ones(2)
    for result in (a + x, x + a, a * x, numpy.sin(x), numpy.add(a, x), a[0] + x):
        assert type(result) is bolide.Tensor
    assert (a - x).tolist() == [2.0, 2.0] and (x - a).tolist() == [-2.0, -2.0]


@pytest.mark.parametrize(
    "take", [bolide.from_numpy, bolide.asarray, bolide.as_tensor, bolide.from_dlpack]
)
def test_read_only_arrays_stay_read_only(take):
    a = numpy.arange(4.0)
    a.flags.writeable = False
    x = take(a)
    assert x.data_ptr() == a.ctypes.data
    for change in (lambda: x.add_(1), lambda: x[1:].zero_(), lambda: x.view(2, 2).t().mul_(2)):
        with pytest.raises(RuntimeError, match="read-only"):
            change()
    assert not x.numpy().flags.writeable and memoryview(x[1:]).readonly
    assert bolide.tensor(a).add_(1).tolist() == [1.0, 2.0, 3.0, 4.0] and a.tolist() == x.tolist()


def test_asarray_without_a_copy():
    a = numpy.arange(4.0)
    assert bolide.asarray(a, copy=False).data_ptr() == a.ctypes.data
    assert bolide.asarray(a[::-1]).tolist() == [3.0, 2.0, 1.0, 0.0]
    for whole in (a[::-1], OnlyArray(a[::-1])):
        with pytest.raises(ValueError):
            bolide.asarray(whole, copy=False)
    for other in ({"dtype": bolide.int32}, {"copy": True}):
        assert bolide.asarray(a, **other).data_ptr() != a.ctypes.data


def test_frombuffer_keeps_bytes_read_only():
    x = bolide.frombuffer(b"\1\2\3", dtype=bolide.uint8)
    with pytest.raises(RuntimeError, match="read-only"):
        x.zero_()
    memory = bytearray(b"\1\2\3")
    bolide.frombuffer(memory, dtype=bolide.uint8)[0] = 9
    assert memory == b"\x09\2\3"


class OnlyArray:
    """What has __array__ and nothing else."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_objects_of_other_libraries():
    a = numpy.arange(3.0)
    assert bolide.asarray(OnlyArray(a)).data_ptr() == a.ctypes.data
    assert bolide.as_tensor(OnlyArray(a), dtype=bolide.int32).tolist() == [0, 1, 2]
    copied = bolide.tensor(OnlyArray(a))
    assert copied.tolist() == [0.0, 1.0, 2.0] and copied.data_ptr() != a.ctypes.data
    with pytest.raises(TypeError, match="__array__"):
        bolide.asarray(OnlyArray([1.0]))
    torch = pytest.importorskip("torch")
    t = torch.arange(3.0)
    assert bolide.asarray(t).data_ptr() == t.data_ptr() == bolide.as_tensor(t).data_ptr()
    assert (
        bolide.tensor(t).tolist() == [0.0, 1.0, 2.0] and bolide.tensor(t).data_ptr() != t.data_ptr()
    )
    assert torch.as_tensor(bolide.arange(3.0)).tolist() == [0.0, 1.0, 2.0]


def test_bfloat16_by_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    a = numpy.arange(4).astype(ml_dtypes.bfloat16).reshape(2, 2)
    for take in (bolide.from_numpy, bolide.asarray, bolide.as_tensor):
        x = take(a.T)
        assert x.dtype is bolide.bfloat16 and x.data_ptr() == a.ctypes.data
        assert x.tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert bolide.tensor(a).tolist() == [[0.0, 1.0], [2.0, 3.0]]
    back = numpy.asarray(x)
    assert back.dtype == ml_dtypes.bfloat16 and back.ctypes.data == a.ctypes.data
    assert x.numpy().tolist() == x.tolist() and x.__array__("float32").dtype == "float32"
    for other in (ml_dtypes.float8_e5m2, ml_dtypes.int4):
        with pytest.raises(TypeError, match=r"float8_e5m2|int4"):
            bolide.from_numpy(a.astype(other))


def test_bfloat16_without_ml_dtypes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(TypeError, match="ml_dtypes"):
        bolide.ones(2, dtype=bolide.bfloat16).numpy()


@pytest.mark.parametrize("make", [bolide.tensor, bolide.as_tensor, bolide.asarray])
def test_numbers_of_numpy_keep_their_dtype(make):
    for name in FORMATS:
        number = numpy.dtype(name).type(1)
        for data, shape in ((number, ()), ([number, number], (2,)), ([[number]], (1, 1))):
            x = make(data)
            assert x.dtype is getattr(bolide, name) and x.shape == shape
            assert x.tolist() == numpy.asarray(data).tolist()
    assert make(numpy.float64(0.25), dtype=bolide.float32).item() == 0.25
    for data, dtype in (
        ([numpy.float16(1), 1], bolide.float16),  # numbers of Python: int64, float32
        ([numpy.float16(1), 1.0], bolide.float32),
        ([numpy.uint8(1), numpy.int8(1)], bolide.int16),
        ([bolide.tensor(1.0, dtype=bolide.float64), True], bolide.float64),
        ([numpy.complex64(1), numpy.float64(1)], bolide.complex128),
    ):
        assert make(data).dtype is dtype
    assert make(numpy.uint16(7)).tolist() == 7  # a dtype that bolide does not have: as a number


# ---- __cuda_array_interface__ -----------------------------------------------------------------------------------


class OnlyCuda:
    """What has __cuda_array_interface__ and nothing else."""

    def __init__(self, x, **changed):
        self.held, self.description = x, {**x.__cuda_array_interface__, **changed}

    @property
    def __cuda_array_interface__(self):
        return self.description


def test_the_cuda_array_interface(device):
    x = bolide.arange(24.0, device=device).reshape(4, 6)
    if device == "cpu":
        assert not hasattr(x, "__cuda_array_interface__")
        with pytest.raises(AttributeError, match="cpu"):
            x.__cuda_array_interface__  # noqa: B018
        return
    described = x[:, ::2].__cuda_array_interface__
    assert described["shape"] == (4, 3) and described["strides"] == (24, 8)
    assert described["typestr"] == "<f4" and described["data"] == (x.data_ptr(), False)
    assert described["version"] == 3 and described["stream"] > 0
    assert x.__cuda_array_interface__["strides"] is None
    with pytest.raises(RuntimeError, match="detach"):
        x.clone().requires_grad_().__cuda_array_interface__  # noqa: B018
    for view in (x, x.t(), x[1:, ::2], x[:0]):
        y = bolide.asarray(OnlyCuda(view))
        assert y.device == x.device and y.tolist() == view.tolist()
        assert y.numel() == 0 or y.data_ptr() == view.data_ptr()
    fixed = bolide.asarray(OnlyCuda(x, data=(x.data_ptr(), True), stream=1))
    with pytest.raises(RuntimeError, match="read-only"):
        fixed.add_(1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"typestr": "<f16"},
        {"typestr": ">f4"},
        {"typestr": 5},
        {"mask": 1},
        {"shape": (-1,)},
        {"shape": 3},
        {"strides": (4,)},
        {"strides": (3, 4)},
        {"strides": (-24, 4)},
        {"data": 5},
        {"data": (1, False)},
        {"data": (0, False)},
        {"stream": 0},
    ],
    ids=str,
)
def test_cuda_arrays_that_make_no_sense(device, wrong):
    if device == "cpu":
        pytest.skip("wants memory on CUDA")
    with pytest.raises((ValueError, TypeError)):
        bolide.asarray(OnlyCuda(bolide.ones(4, 6, device=device), **wrong))
