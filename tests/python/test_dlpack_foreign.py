"""Producers of other libraries, forged, broken and hostile ones: an error with a reason, nothing leaked.

Fields drawn at random: test_dlpack_fuzz.py.
"""

import ctypes
import gc
import subprocess
import sys

import bolide
import pytest
from dlpack_fakes import (
    CPU,
    CUDA,
    IS_COPIED,
    METAL,
    READ_ONLY,
    DataType,
    Deleter,
    Device,
    Exporter,
    Fake,
    Importer,
    StreamGetter,
    Tensor,
    Versioned,
    Viewer,
    contents,
    get_name,
    get_pointer,
    give,
    live_bytes,
    new_capsule,
    table_class,
    table_of,
)

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
    old = Fake(version=(0, 5))
    with pytest.raises(BufferError, match="version 1, got 0"):
        bolide.from_dlpack(old)
    assert old.deleted == 1
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
    assert x.data_ptr() % 4 == 0 and fake.deleted == 1
    with pytest.raises(bolide.CopyRequiredError):
        bolide.from_dlpack(fake, copy=False)


def test_flags_of_a_foreign_tensor():
    x = bolide.from_dlpack(Fake(flags=READ_ONLY))
    with pytest.raises(RuntimeError, match="read-only"):
        x.mul_(2)
    bolide.from_dlpack(Fake(flags=IS_COPIED)).mul_(2)
    bolide.from_dlpack(Fake(versioned=False)).mul_(2)


def test_arrays_of_jax_never_change():
    class Immutable(Fake):
        __module__ = "jaxlib._jax"

    with pytest.raises(RuntimeError, match="read-only"):
        bolide.from_dlpack(Immutable(versioned=False)).add_(1)
    bolide.from_dlpack(Immutable(versioned=False), copy=True).add_(1)


def test_producers_of_other_times():
    class Old(Fake):
        def __dlpack__(self, stream=None):
            return self.capsule()

    assert bolide.from_dlpack(Old(versioned=False)).sum().item() == 21.0
    old = Old(versioned=False)
    copied = bolide.from_dlpack(old, copy=True)  # what they do not do, bolide does
    assert copied.sum().item() == 21.0 and old.deleted == 1
    assert copied.data_ptr() != ctypes.addressof(old.buffer)

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


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (3,), "strides": (2**62,)},
        {"shape": (3,), "strides": (-(2**63),)},
        {"shape": (2, 2), "strides": (2**57, 2**57)},
        {"shape": (2,), "byte_offset": 2**63},
        {"device": 99},
        {"code": 200},
        {"bits": 0},
        {"lanes": 0},
        {"ndim": -(2**31)},
        {"ndim": 65, "shape": (1,) * 65},
    ],
    ids=str,
)
def test_absurd_structs_are_errors(wrong):
    fake = Fake(**wrong)
    with pytest.raises(BufferError):
        bolide.from_dlpack(fake)
    assert fake.deleted == 0


@pytest.mark.parametrize(
    ("code", "bits", "name"),
    [
        (12, 8, "float8_e5m2"),
        (1, 16, "uint16"),
        (5, 32, "complex32"),
        (17, 4, "float4"),
        (77, 8, "code 77"),
    ],
)
def test_dtypes_are_refused_by_name(code, bits, name):
    with pytest.raises(BufferError, match=name):
        bolide.from_dlpack(Fake(code=code, bits=bits))


def test_strides_that_matter_to_nobody():
    for shape, strides in [((0, 3), (-(2**63), 2**62)), ((1, 2), (-(2**63), 1))]:
        x = bolide.from_dlpack(Fake(shape=shape, strides=strides))
        assert x.shape == shape and x.is_contiguous()
    huge = bolide.from_dlpack(Fake(shape=(2**40, 0, 2**40), data=None))
    assert huge.shape == (2**40, 0, 2**40) and contents(huge.__dlpack__()).tensor.strides[0] >= 0


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("strides", [(-3, 1), (3, -1), (-1, -3), (-3, 0), (1, -2)])
def test_negative_strides_are_copied(strides, offset):
    values = [float(i) for i in range(12)]
    first = sum(-s * (n - 1) for s, n in zip(strides, (2, 3), strict=True) if s < 0)
    fake = Fake(values, (2, 3), strides, byte_offset=4 * first + offset)
    if offset:  # the same values, one byte later
        ctypes.memmove(ctypes.addressof(fake.buffer) + 1, (ctypes.c_float * 11)(*values[:11]), 44)
    x = bolide.from_dlpack(fake)
    assert x.tolist() == [
        [first + strides[0] * i + strides[1] * j for j in range(3)] for i in range(2)
    ]
    assert fake.deleted == 1
    with pytest.raises(bolide.CopyRequiredError):
        bolide.from_dlpack(fake, copy=False)


@pytest.mark.parametrize(
    "pair", [None, 1, (1,), ("a", "b"), (2**70, 0), (1, 0, 0), [1, 0]], ids=str
)
def test_devices_that_make_no_sense(pair):
    class Odd(Fake):
        def __dlpack_device__(self):
            return pair

    with pytest.raises(BufferError, match="__dlpack_device__"):
        bolide.from_dlpack(Odd())


def test_producers_that_lie_about_their_device(device):
    class Liar(Fake):
        def __dlpack_device__(self):
            return (self.claim, 0)

    liar = Liar()
    liar.claim = METAL
    with pytest.raises(BufferError, match="names"):
        bolide.from_dlpack(liar)
    assert liar.deleted == 1  # it was taken before, and given back
    liar = Liar(device=CUDA)
    liar.claim = CPU
    with pytest.raises(BufferError):
        bolide.from_dlpack(liar)
    if device == "cpu" and not bolide.cuda.is_available():
        with pytest.raises(BufferError, match="CUDA"):
            bolide.from_dlpack(Fake(device=CUDA))


def test_producers_that_raise():
    class Raising(Fake):
        def __dlpack__(self, **named):
            raise self.error

    class NoDevice(Fake):
        def __dlpack_device__(self):
            raise KeyError("device")

    for error in (RuntimeError("mine"), KeyError("mine"), MemoryError("mine")):
        producer = Raising()
        producer.error = error
        with pytest.raises(type(error), match="mine"):
            bolide.from_dlpack(producer)
    with pytest.raises(KeyError, match="device"):
        bolide.from_dlpack(NoDevice())


def test_producers_that_do_not_do_as_they_are_told(device):
    deaf = Fake()  # takes copy= and dl_device= and does nothing about them
    copied = bolide.from_dlpack(deaf, copy=True)
    assert deaf.deleted == 1 and copied.data_ptr() != ctypes.addressof(deaf.buffer)
    with pytest.raises(bolide.CopyRequiredError, match="producer"):
        bolide.from_dlpack(Fake(flags=IS_COPIED), copy=False)
    assert bolide.from_dlpack(Fake(flags=IS_COPIED), copy=True).sum().item() == 21.0
    if device == "cpu":
        return
    x = bolide.arange(6.0, device=device)

    class Old(Fake):
        def __dlpack__(self, stream=None):
            return self.capsule()

    for kind in (Fake, Old):
        deaf = kind(device=CUDA, data=x.data_ptr())
        assert bolide.from_dlpack(deaf, device="cpu").tolist() == x.tolist()
        with pytest.raises(bolide.CopyRequiredError):
            bolide.from_dlpack(deaf, device="cpu", copy=False)
        there = bolide.from_dlpack(kind(), device=device)
        assert there.device == x.device and there.sum().item() == 21.0
        with pytest.raises(bolide.CopyRequiredError):
            bolide.from_dlpack(kind(), device=device, copy=False)


def test_other_kinds_of_cuda_memory(device):
    pinned = Fake(device=3)
    x = bolide.from_dlpack(pinned)
    assert x.device.type == "cpu" and x.data_ptr() == ctypes.addressof(pinned.buffer)
    if device == "cuda":
        x = bolide.arange(6.0, device=device)
        managed = bolide.from_dlpack(Fake(device=13, data=x.data_ptr()))
        assert managed.device == x.device and managed.tolist() == x.tolist()


def test_capsules_of_other_names():
    fake = Fake()
    for name in (b"other", b"used_dltensor", b"", None):
        with pytest.raises(ValueError, match="consumed"):
            bolide.from_dlpack(new_capsule(ctypes.addressof(fake.struct), name, None))
    assert fake.deleted == 0


def test_unknown_flags_are_ignored():
    assert bolide.from_dlpack(Fake(flags=1 << 40)).sum().item() == 21.0


def test_an_error_survives_the_deleter():
    class Loud(Fake):
        def _delete(self, pointer):
            super()._delete(pointer)
            int("no number") if self.deleted > 1 else bolide.ones(2).sum().item()

    loud = Loud(version=(2, 0))
    with pytest.raises(BufferError, match="version"):
        bolide.from_dlpack(loud)
    assert loud.deleted == 1


def test_failing_imports_leak_nothing():
    start = live_bytes()
    bad = [Fake(lanes=3), Fake(ndim=-1), Fake(shape=(3,), strides=(2**62,)), Fake(byte_offset=1)]
    for _ in range(500):
        for fake in bad[:3]:
            with pytest.raises(BufferError):
                bolide.from_dlpack(fake)
        with pytest.raises(BufferError):
            bolide.from_dlpack(bad[3], copy=False)
    assert live_bytes() == start and not any(fake.deleted for fake in bad)


# ---- deleters, wherever they run --------------------------------------------------------------------------------


def managed_of(x):
    """(address of the struct, address of its deleter), owned by the caller."""
    pointer = ctypes.c_void_p()
    assert Exporter(table_of(bolide.Tensor).export)(x, pointer) == 0
    return pointer.value, Versioned.from_address(pointer.value).deleter


def test_our_deleter_needs_no_gil_and_no_python_thread():
    libc = ctypes.CDLL(None)
    start = live_bytes()
    x = bolide.ones(5000)
    managed, deleter = managed_of(x)
    held, other = managed_of(
        bolide.frombuffer(bytearray(64), dtype=bolide.float32)
    )  # owned by Python
    del x
    assert live_bytes() > start
    for pointer, function in ((managed, deleter), (held, other)):
        thread = ctypes.c_ulong()
        assert (
            libc.pthread_create(
                ctypes.byref(thread), None, ctypes.c_void_p(function), ctypes.c_void_p(pointer)
            )
            == 0
        )
        libc.pthread_join(thread, None)
    assert live_bytes() == start


def test_our_deleter_after_the_interpreter_has_ended():
    code = f"""
import sys; sys.path.insert(0, {str(__file__).rpartition("/")[0]!r})
import bolide, ctypes
from test_dlpack_foreign import managed_of
libc = ctypes.CDLL(None)
for x in (bolide.ones(5000), bolide.frombuffer(bytearray(64), dtype=bolide.float32)):
    managed, deleter = managed_of(x)
    libc.__cxa_atexit(ctypes.c_void_p(deleter), ctypes.c_void_p(managed), None)
print("ready")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


# ---- the table of C functions -----------------------------------------------------------------------------------


def test_the_table_of_c_functions():
    capsule = bolide.Tensor.__dlpack_c_exchange_api__
    assert get_name(capsule) == b"dlpack_exchange_api"
    assert get_pointer(capsule, b"dlpack_exchange_api") == get_pointer(
        bolide.nn.Parameter.__dlpack_c_exchange_api__, b"dlpack_exchange_api"
    )
    table = table_of(bolide.Tensor)
    assert table.major == 1 and table.previous is None
    assert all((table.allocate, table.export, table.import_, table.view, table.stream))
    export, import_, view = Exporter(table.export), Importer(table.import_), Viewer(table.view)
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
    stream = StreamGetter(table.stream)
    current = ctypes.c_void_p(1)
    assert stream(CPU, 0, current) == 0 and current.value is None


def test_the_table_refuses_as_the_methods_do():
    table = table_of(bolide.Tensor)
    x, pointer, seen = bolide.ones(2, requires_grad=True), ctypes.c_void_p(), Tensor()
    with pytest.raises(BufferError, match="detach"):
        Exporter(table.export)(x, pointer)
    with pytest.raises(BufferError, match="detach"):
        Viewer(table.view)(x, seen)
    with pytest.raises(TypeError):
        Exporter(table.export)(5, pointer)
    with pytest.raises(BufferError, match="device"):
        StreamGetter(table.stream)(METAL, 0, pointer)
    scalar = bolide.tensor(1.0)
    assert Viewer(table.view)(scalar, seen) == 0 and seen.ndim == 0 and not seen.shape


def test_the_table_owns_what_it_is_given_whatever_happens():
    import_ = Importer(table_of(bolide.Tensor).import_)
    made = ctypes.py_object()
    for wrong in ({"lanes": 2}, {"version": (2, 0)}, {"ndim": -3}, {"device": METAL}):
        fake = Fake(**wrong)
        with pytest.raises(BufferError):
            import_(ctypes.addressof(fake.struct), made)
        assert fake.deleted == 1
    flipped = Fake(strides=(-1,), byte_offset=20)
    assert import_(ctypes.addressof(flipped.struct), made) == 0
    assert made.value.tolist() == [6.0, 5.0, 4.0, 3.0, 2.0, 1.0] and flipped.deleted == 1


def test_the_table_allocates():
    Setter = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
    Allocator = ctypes.PYFUNCTYPE(
        ctypes.c_int,
        ctypes.POINTER(Tensor),
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_void_p,
        Setter,
    )
    allocate, errors = Allocator(table_of(bolide.Tensor).allocate), []
    setter = Setter(lambda context, kind, text: errors.append((kind, text)))
    start = live_bytes()
    shape, pointer = (ctypes.c_int64 * 2)(3, 4), ctypes.c_void_p()
    wanted = Tensor(
        None,
        Device(CPU, 0),
        2,
        DataType(2, 32, 1),
        ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)),
    )
    assert allocate(wanted, pointer, None, setter) == 0 and not errors
    managed = Versioned.from_address(pointer.value)
    assert managed.tensor.shape[1] == 4 and managed.tensor.strides[0] == 4 and managed.tensor.data
    Deleter(managed.deleter)(pointer.value)
    assert live_bytes() == start
    for field, value in (
        ("ndim", -1),
        ("ndim", 1000),
        ("dtype", DataType(1, 64, 1)),
        ("device", Device(METAL, 0)),
    ):
        before = getattr(wanted, field)
        if field != "ndim":
            before = type(before).from_buffer_copy(before)
        setattr(wanted, field, value)
        assert allocate(wanted, pointer, None, setter) == -1
        setattr(wanted, field, before)
    shape[0] = 2**62
    assert allocate(wanted, pointer, None, setter) == -1
    assert [kind for kind, _ in errors] == [b"BufferError"] * 5 and all(text for _, text in errors)


def test_the_table_of_a_producer_is_used():
    kind = table_class(give)
    producer = kind()
    x = bolide.from_dlpack(producer)
    assert x.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] and kind.asked == 0
    del x
    assert producer.deleted == 1
    copied = bolide.from_dlpack(producer, copy=True)
    assert copied.data_ptr() != ctypes.addressof(producer.buffer) and producer.deleted == 2
    producer = kind(flags=READ_ONLY)
    with pytest.raises(RuntimeError, match="read-only"):
        bolide.from_dlpack(producer).add_(1)


@pytest.mark.parametrize(
    "wrong", [{"lanes": 2}, {"version": (3, 0)}, {"ndim": -3}, {"data": None}], ids=str
)
def test_what_a_table_gives_is_freed_where_it_is_wrong(wrong):
    producer = table_class(give)(**wrong)
    with pytest.raises(BufferError):
        bolide.from_dlpack(producer)
    assert producer.deleted == 1
    producer = table_class(give)(strides=(-1,), byte_offset=20)
    with pytest.raises(bolide.CopyRequiredError):
        bolide.from_dlpack(producer, copy=False)
    assert producer.deleted == 1
    assert bolide.from_dlpack(producer)[0].item() == 6.0 and producer.deleted == 2


def test_tables_that_cannot_be_used_give_way_to_the_method():
    def fail(producer, out):
        return -1

    def nothing(producer, out):
        out[0] = None
        return 0

    for kind in (
        table_class(fail),
        table_class(nothing),
        table_class(give, major=2),
        table_class(give, name=b"something"),
        table_class(give, functions=0),
    ):
        assert bolide.from_dlpack(kind()).sum().item() == 21.0 and kind.asked == 1
    kind = table_class(give)
    kind.__dlpack_c_exchange_api__ = 12345  # what DLPack 1.2 had
    assert bolide.from_dlpack(kind()).sum().item() == 21.0 and kind.asked == 1

    class Own(table_class(give)):  # says itself how it is exported
        def __dlpack__(self, **named):
            return Fake(values=(7.0,), shape=(1,)).capsule()

    assert bolide.from_dlpack(Own()).tolist() == [7.0]


def test_a_consumer_of_the_table():
    """tvm-ffi asks the table for a tensor, and gives it back through its own."""
    tvm_ffi = pytest.importorskip("tvm_ffi")
    x = bolide.arange(6.0).reshape(2, 3)[:, 1:]
    theirs = tvm_ffi.from_dlpack(x)
    assert tuple(theirs.shape) == (2, 2)
    back = bolide.from_dlpack(theirs)
    assert back.data_ptr() == x.data_ptr() and back.tolist() == x.tolist()
    echo = tvm_ffi.get_global_func("testing.echo")(x)
    assert bolide.from_dlpack(echo).data_ptr() == x.data_ptr()


def test_lazy_tensors_go_the_long_way():
    class Lazy(table_class(give)):
        requires_grad = False

        def is_conj(self):
            return False

        def is_neg(self):
            return False

    assert bolide.from_dlpack(Lazy()).sum().item() == 21.0 and Lazy.asked == 0
    Lazy.requires_grad = True
    bolide.from_dlpack(Lazy())
    assert Lazy.asked == 1
    Lazy.requires_grad = False
    Lazy.is_conj = lambda self: True
    bolide.from_dlpack(Lazy())
    assert Lazy.asked == 2
    Lazy.is_conj, Lazy.is_neg = (lambda self: False), (lambda self: True)
    with pytest.raises(BufferError, match="resolve_neg"):
        bolide.from_dlpack(Lazy())
