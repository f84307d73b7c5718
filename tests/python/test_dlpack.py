"""DLPack in both directions: capsules, flags, ownership, layouts; foreign and broken producers are made with ctypes."""

import ctypes
import gc
import subprocess
import sys
import threading

import bolide
import pytest

numpy = pytest.importorskip("numpy")

CPU, CUDA, METAL = 1, 2, 8
READ_ONLY, IS_COPIED = 1, 2
DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()


# ---- the structs ------------------------------------------------------------------------------------------------


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Legacy(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = (
    ctypes.py_object,
    [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
)
get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
get_name = ctypes.pythonapi.PyCapsule_GetName
get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]


class Fake:
    """A producer over a ctypes buffer, with every field free to be wrong."""

    def __init__(
        self,
        values=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        shape=(6,),
        strides=None,
        code=2,
        bits=32,
        lanes=1,
        **more,
    ):
        self.buffer = (ctypes.c_float * len(values))(*values)
        self.deleted = 0
        self.versioned = more.get("versioned", True)
        self.struct = Versioned() if self.versioned else Legacy()
        if self.versioned:
            self.struct.major, self.struct.minor = more.get("version", (1, 0))
            self.struct.flags = more.get("flags", 0)
        self.deleter = Deleter(self._delete)
        self.struct.deleter = (
            ctypes.cast(self.deleter, ctypes.c_void_p).value
            if more.get("has_deleter", True)
            else None
        )
        t = self.struct.tensor
        t.data = more.get("data", ctypes.addressof(self.buffer))
        t.device = Device(more.get("device", CPU), 0)
        t.ndim = more.get("ndim", len(shape))
        t.dtype = DataType(code, bits, lanes)
        self.shape = (ctypes.c_int64 * max(len(shape), 1))(*shape)
        t.shape = self.shape if shape else None
        self.strides = (
            None if strides is None else (ctypes.c_int64 * max(len(strides), 1))(*strides)
        )
        t.strides = self.strides
        t.byte_offset = more.get("byte_offset", 0)

    def _delete(self, _):
        self.deleted += 1

    def capsule(self):
        name = b"dltensor_versioned" if self.versioned else b"dltensor"
        return new_capsule(ctypes.addressof(self.struct), name, None)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self.capsule()

    def __dlpack_device__(self):
        return (self.struct.tensor.device.type, 0)


def contents(capsule):
    name = get_name(capsule)
    kind = Versioned if name == b"dltensor_versioned" else Legacy
    return kind.from_address(get_pointer(capsule, name))


def live_bytes():
    gc.collect()
    return bolide._C._memory_stats("cpu")["allocated"]


# ---- capsules of ours -------------------------------------------------------------------------------------------


def test_which_capsule():
    x = bolide.ones(2, 3)
    assert get_name(x.__dlpack__()) == b"dltensor"
    for version in ((1, 0), (1, 3), (2, 0)):
        capsule = x.__dlpack__(max_version=version)
        assert get_name(capsule) == b"dltensor_versioned" and contents(capsule).major == 1
    for version in ((0, 8), None):
        assert get_name(x.__dlpack__(max_version=version)) == b"dltensor"
    assert x.__dlpack_device__() == (CPU, 0)


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_capsules_free_what_they_hold_exactly_once(version):
    start = live_bytes()
    x = bolide.ones(1000)
    capsule = x.__dlpack__(max_version=version)
    del x
    assert live_bytes() > start
    del capsule
    assert live_bytes() == start
    x = bolide.ones(1000)
    capsule = x.__dlpack__(max_version=version)
    y = bolide.from_dlpack(capsule)
    assert get_name(capsule).startswith(b"used_dltensor")
    with pytest.raises(ValueError, match="consumed"):
        bolide.from_dlpack(capsule)
    del x, capsule
    assert y.sum().item() == 1000.0
    del y
    assert live_bytes() == start


def test_the_exported_struct():
    x = bolide.arange(24, dtype=bolide.float32).reshape(4, 6)[1:, ::2]
    capsule = x.__dlpack__(max_version=(1, 0))
    t = contents(capsule).tensor
    assert t.data == x.data_ptr() and t.byte_offset == 0 and t.ndim == 2
    assert (t.shape[0], t.shape[1]) == (3, 3) and (t.strides[0], t.strides[1]) == (6, 2)
    assert (t.dtype.code, t.dtype.bits, t.dtype.lanes) == (2, 32, 1)
    scalar = bolide.tensor(1.0).__dlpack__()
    assert (
        not contents(scalar).tensor.shape
        and not contents(scalar).tensor.strides
        and contents(scalar).tensor.data
    )
    empty = bolide.empty(3, 0, 2).__dlpack__()
    assert contents(empty).tensor.data is None and contents(empty).tensor.shape[0] == 3
    assert contents(empty).tensor.strides[0] >= 0
    thin = bolide.arange(6).reshape(6, 1)[::3].__dlpack__()
    assert (contents(thin).tensor.strides[0], contents(thin).tensor.strides[1]) == (3, 1)
    bits = {name: getattr(bolide, name).itemsize * 8 for name in DTYPES}
    codes = dict.fromkeys(DTYPES, 2) | {
        "bool": 6,
        "uint8": 1,
        "bfloat16": 4,
        "complex64": 5,
        "complex128": 5,
    }
    codes |= dict.fromkeys(("int8", "int16", "int32", "int64"), 0)
    for name in DTYPES:
        capsule = bolide.empty(1, dtype=getattr(bolide, name)).__dlpack__()
        d = contents(capsule).tensor.dtype
        assert (d.code, d.bits) == (codes[name], bits[name])


def test_allocations_are_aligned():
    for n in (1, 7, 1000, 100000):
        assert bolide.empty(n).data_ptr() % 256 == 0


def test_tensors_that_require_grad():
    x = bolide.ones(2, requires_grad=True)
    with pytest.raises(BufferError, match="detach"):
        x.__dlpack__()
    assert bolide.from_dlpack(x.detach()).data_ptr() == x.data_ptr()
    with bolide.no_grad():
        assert not bolide.from_dlpack(x).requires_grad


def test_read_only_tensors():
    array = numpy.arange(4.0)
    array.flags.writeable = False
    x = bolide.from_dlpack(array)
    assert contents(x.__dlpack__(max_version=(1, 0))).flags & READ_ONLY
    with pytest.raises(BufferError):
        x.__dlpack__()
    for change in (
        lambda: x.add_(1),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.fill_(0),
        lambda: x.zero_(),
    ):
        with pytest.raises(RuntimeError, match="read-only"):
            change()
    assert not x.numpy().flags.writeable
    assert contents(x[1:].__dlpack__(max_version=(1, 0))).flags & READ_ONLY
    x.clone().add_(1)


def test_copy_on_request():
    x = bolide.ones(3)
    copied = contents(capsule := x.__dlpack__(max_version=(1, 0), copy=True))
    assert copied.flags & IS_COPIED and copied.tensor.data != x.data_ptr()
    assert (
        contents(again := x.__dlpack__(max_version=(1, 0), copy=False)).tensor.data == x.data_ptr()
    )
    assert capsule is not again
    assert bolide.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
    assert (
        bolide.from_dlpack(x, copy=False).data_ptr()
        == x.data_ptr()
        == bolide.from_dlpack(x).data_ptr()
    )


def test_odd_requests():
    x = bolide.ones(2)
    assert x.__dlpack__(stream=None) is not None and x.__dlpack__(stream=-1) is not None
    for bad, error in (
        ({"stream": 5}, ValueError),
        ({"stream": "1"}, TypeError),
        ({"max_version": 1}, TypeError),
        ({"copy": "yes"}, TypeError),
        ({"dl_device": (99, 0)}, BufferError),
        ({"dl_device": 1}, TypeError),
    ):
        with pytest.raises(error):
            x.__dlpack__(**bad)
    assert x.__dlpack__(dl_device=(CPU, 0)) is not None
    with pytest.raises(TypeError):
        x.__dlpack__(None)


# ---- NumPy as partner -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DTYPES if name != "bfloat16"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4)])
def test_round_trips_with_numpy(name, shape):
    array = numpy.asarray(numpy.arange(int(numpy.prod(shape))).reshape(shape) * 1.5).astype(name)
    x = bolide.from_dlpack(array)
    assert x.dtype is getattr(bolide, name) and x.shape == shape and x.tolist() == array.tolist()
    back = numpy.from_dlpack(x)
    assert back.dtype == array.dtype and back.shape == shape and (back == array).all()
    if array.size:
        assert x.data_ptr() == array.ctypes.data == back.ctypes.data


def test_layouts_share_memory_both_ways():
    base = numpy.arange(24.0).reshape(4, 6)
    for view in (base.T, base[::2], base[1:, 2:], numpy.asfortranarray(base), base[:, ::3]):
        x = bolide.from_dlpack(view)
        assert x.tolist() == view.tolist() and x.data_ptr() == view.ctypes.data
        x[0, 0] = -1.0
        assert view[0, 0] == -1.0
    x = bolide.arange(24.0).reshape(4, 6)
    for view in (x.T, x[::2], x[1:, 2:], x[:, ::3]):
        array = numpy.from_dlpack(view)
        assert array.tolist() == view.tolist() and array.ctypes.data == view.data_ptr()


def test_strides_that_are_not_plain():
    array = numpy.arange(6.0)
    x = bolide.from_dlpack(numpy.flip(array))
    assert x.tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0] and (x + 1).tolist()[0] == 6.0
    with pytest.raises(BufferError) as found:
        bolide.from_dlpack(numpy.flip(array), copy=False)
    assert isinstance(found.value, ValueError)
    wide = bolide.from_dlpack(numpy.broadcast_to(array, (3, 6)))
    assert wide.tolist() == [array.tolist()] * 3
    with pytest.raises(RuntimeError):
        wide.add_(1)


def test_the_producer_may_die_first():
    array = numpy.arange(1000.0)
    x = bolide.from_dlpack(array)
    del array
    gc.collect()
    assert x.sum().item() == 499500.0
    y = bolide.arange(1000.0)
    back = numpy.from_dlpack(y)
    del y
    gc.collect()
    assert back.sum() == 499500.0


def test_unknown_dtypes_of_numpy():
    for dtype in (numpy.uint16, numpy.uint32, numpy.uint64):
        with pytest.raises(BufferError, match="dtype"):
            bolide.from_dlpack(numpy.zeros(2, dtype))


# ---- foreign producers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("versioned", [True, False])
def test_a_foreign_tensor_is_freed_once(versioned):
    fake = Fake(versioned=versioned)
    x = bolide.from_dlpack(fake)
    y = x[2:]
    assert x.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] and fake.deleted == 0
    del x
    gc.collect()
    assert fake.deleted == 0 and y.tolist() == [3.0, 4.0, 5.0, 6.0]
    del y
    gc.collect()
    assert fake.deleted == 1


@pytest.mark.parametrize("versioned", [True, False])
def test_no_deleter_null_strides_offset(versioned):
    fake = Fake(versioned=versioned, has_deleter=False)
    x = bolide.from_dlpack(fake)
    assert x.sum().item() == 21.0
    del x
    x = bolide.from_dlpack(Fake(shape=(1, 2, 3), versioned=versioned))
    assert (
        x.shape == (1, 2, 3)
        and x.is_contiguous()
        and x.tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    )
    x = bolide.from_dlpack(Fake(shape=(2,), byte_offset=8, versioned=versioned))
    assert x.tolist() == [3.0, 4.0]
    x = bolide.from_dlpack(Fake(shape=(2, 1), strides=(3, 12345), versioned=versioned))
    assert x.tolist() == [[1.0], [4.0]]
    x = bolide.from_dlpack(Fake(shape=(), versioned=versioned))
    assert x.shape == () and x.item() == 1.0
    x = bolide.from_dlpack(Fake(shape=(0, 4), data=None, versioned=versioned))
    assert x.shape == (0, 4) and x.reshape(4, 0).shape == (4, 0)


def test_versions():
    new = Fake(version=(2, 0), ndim=-5, bits=3)
    with pytest.raises(BufferError, match="version"):
        bolide.from_dlpack(new)
    assert new.deleted == 1
    assert bolide.from_dlpack(Fake(version=(1, 99))).sum().item() == 21.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"lanes": 4},
        {"bits": 1},
        {"bits": 24},
        {"code": 3},
        {"code": 17, "bits": 4},
        {"code": 1, "bits": 64},
        {"ndim": -1},
        {"ndim": 1000},
        {"device": METAL},
        {"data": None},
        {"shape": (-2,)},
        {"shape": (2**62, 2**62)},
    ],
    ids=str,
)
def test_wrong_structs_are_errors_and_stay_with_their_owner(wrong):
    fake = Fake(**wrong)
    with pytest.raises((BufferError, RuntimeError)):
        bolide.from_dlpack(fake)
    assert fake.deleted == 0  # the capsule is not consumed


def test_unaligned_memory_is_copied():
    fake = Fake(shape=(2,), byte_offset=1)
    x = bolide.from_dlpack(fake)
    assert x.data_ptr() % 4 == 0 and fake.deleted == 0
    with pytest.raises(bolide.CopyRequiredError):
        bolide.from_dlpack(fake, copy=False)


def test_flags_of_a_foreign_tensor():
    x = bolide.from_dlpack(Fake(flags=READ_ONLY))
    with pytest.raises(RuntimeError, match="read-only"):
        x.mul_(2)
    bolide.from_dlpack(Fake(flags=IS_COPIED)).mul_(2)
    bolide.from_dlpack(Fake(versioned=False)).mul_(2)


def test_producers_of_other_times():
    class Old(Fake):
        def __dlpack__(self, stream=None):
            return self.capsule()

    assert bolide.from_dlpack(Old(versioned=False)).sum().item() == 21.0
    with pytest.raises(TypeError):
        bolide.from_dlpack(Old(versioned=False), copy=True)

    class Broken(Fake):
        def __dlpack__(self, **named):
            raise BufferError("mine")

    with pytest.raises(BufferError, match="mine"):
        bolide.from_dlpack(Broken())
    for other in (5, "x", None, object()):
        with pytest.raises(AttributeError):
            bolide.from_dlpack(other)

    class NoCapsule(Fake):
        def __dlpack__(self, **named):
            return 5

    with pytest.raises(TypeError):
        bolide.from_dlpack(NoCapsule())


def test_a_deleter_called_by_another_thread():
    fake = Fake()
    held = [bolide.from_dlpack(fake)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert fake.deleted == 1


def test_many_threads_exporting_and_importing():
    x = bolide.arange(100.0)

    def work():
        for _ in range(300):
            assert bolide.from_dlpack(x)[5].item() == 5.0
            x.__dlpack__()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_failing_and_working_round_trips_leak_nothing():
    x = bolide.ones(2, requires_grad=True)
    y = bolide.ones(1000)
    start = live_bytes()
    for _ in range(2000):
        with pytest.raises(BufferError):
            x.__dlpack__()
        bolide.from_dlpack(y)
        numpy.from_dlpack(y)
    assert live_bytes() == start


def test_a_tensor_that_outlives_the_interpreter():
    code = (
        "import bolide, numpy, atexit\n"
        "a = numpy.arange(5.0); x = bolide.from_dlpack(a); b = numpy.from_dlpack(bolide.ones(3))\n"
        "atexit.register(lambda: x.sum()); import sys; sys.keep = (x, b, bolide.from_numpy(a))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr


def test_the_table_of_c_functions():
    capsule = type(bolide.ones(1)).__dlpack_c_exchange_api__
    assert get_name(capsule) == b"dlpack_exchange_api"

    class Table(ctypes.Structure):
        _fields_ = [
            ("major", ctypes.c_uint32),
            ("minor", ctypes.c_uint32),
            ("previous", ctypes.c_void_p),
            ("allocate", ctypes.c_void_p),
            ("export", ctypes.c_void_p),
            ("import_", ctypes.c_void_p),
            ("view", ctypes.c_void_p),
            ("stream", ctypes.c_void_p),
        ]

    address = get_pointer(capsule, b"dlpack_exchange_api")
    table = Table.from_address(address)
    assert table.major == 1 and table.previous is None
    assert all((table.allocate, table.export, table.import_, table.view, table.stream))
    export = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(ctypes.c_void_p))(
        table.export
    )
    import_ = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.py_object))(
        table.import_
    )
    view = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(Tensor))(table.view)
    x = bolide.arange(6.0).reshape(2, 3)
    managed, made, seen = ctypes.c_void_p(), ctypes.py_object(), Tensor()
    assert export(x, managed) == 0 and import_(managed, made) == 0
    assert made.value.data_ptr() == x.data_ptr() and made.value.tolist() == x.tolist()
    assert (
        view(x, seen) == 0
        and seen.data == x.data_ptr()
        and seen.shape[1] == 3
        and seen.strides[0] == 3
    )
    with pytest.raises(TypeError):
        view("no tensor", seen)
    stream = ctypes.PYFUNCTYPE(
        ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p)
    )(table.stream)
    current = ctypes.c_void_p(1)
    assert stream(CPU, 0, current) == 0 and current.value is None


# ---- other devices ----------------------------------------------------------------------------------------------


def test_between_devices(device):
    x = bolide.arange(6.0, device=device).reshape(2, 3)
    kind = CPU if device == "cpu" else CUDA
    assert x.__dlpack_device__() == (kind, 0)
    y = bolide.from_dlpack(x)
    assert y.device == x.device and y.data_ptr() == x.data_ptr() and y.tolist() == x.tolist()
    host = bolide.from_dlpack(x, device="cpu")
    assert host.device.type == "cpu" and host.tolist() == x.tolist()
    if device == "cpu":
        return
    for stream in (1, 2, -1, None):
        assert (
            bolide.from_dlpack(x.__dlpack__(stream=stream, max_version=(1, 0))).tolist()
            == x.tolist()
        )
    with pytest.raises(ValueError):
        x.__dlpack__(stream=0)
    with pytest.raises(BufferError):
        bolide.from_dlpack(x, device="cpu", copy=False)
    assert (
        contents(capsule := x.__dlpack__(dl_device=(CPU, 0), max_version=(1, 0))).flags & IS_COPIED
    )
    assert numpy.from_dlpack(x, device="cpu").tolist() == x.tolist() and capsule is not None
