"""Structs and producers with fields drawn at random: what they give is shared, copied or refused, and nothing crashes.

Some hundred examples a test, always the same ones. More of them, drawn anew:

    BOLIDE_FUZZ=20000 PYTHONPATH=build/python .venv/bin/python -m pytest -q tests/python/test_dlpack_fuzz.py

A struct may lie about its memory, which no consumer can know. So nothing of what is shared is read, and a copy is only
asked for where strides and sizes lie within the memory that is there.
"""

import ctypes
import os

import bolide
import pytest
from dlpack_fakes import (
    CPU,
    METAL,
    Fake,
    Importer,
    get_name,
    give,
    new_capsule,
    table_class,
    table_of,
)

numpy = pytest.importorskip("numpy")
pytest.importorskip("hypothesis", reason="fields are drawn by Hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

EXAMPLES = int(os.environ.get("BOLIDE_FUZZ", 0))
STATS = bolide._C._memory_stats
# What an import may raise. Anything else is an answer that nobody has thought of.
REFUSED = (BufferError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError)


def drawn(**strategies):
    """The test with these arguments drawn: a few always, or as many as were asked for."""

    def wrap(test):
        test = settings(
            max_examples=EXAMPLES or 150,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(test)
        return given(**strategies)(test)

    return wrap


def often(likely, other):
    """Mostly one of the likely ones, so that few fields are absurd at a time."""
    return st.integers(0, 9).flatmap(lambda n: other if n == 9 else st.sampled_from(likely))


def integers(bits, *likely):
    return often(likely, st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))


def unsigned(bits, *likely):
    return often(likely, st.integers(0, 2**bits - 1))


SIZE = integers(64, 0, 1, 1, 2, 2, 3, 3, 2**31, -1)
STRIDE = integers(64, 0, 1, 2, 3, -1, 2**40)
DTYPE = (unsigned(8, 2), unsigned(8, 32), unsigned(16, 1))
STRUCT = st.fixed_dictionaries(
    {
        "shape": st.lists(SIZE, max_size=5),
        "dtype": often([(2, 32, 1), (0, 64, 1), (5, 64, 1), (6, 8, 1)], st.tuples(*DTYPE)),
        "flags": unsigned(64, 0, 1),
        "device": integers(32, CPU, 3),
        "byte_offset": unsigned(64, 0, 1, 8, 16),
        "versioned": st.booleans(),
        "has_deleter": st.booleans(),
        "version": st.tuples(unsigned(32, 1), unsigned(32, 0, 3)),
        "strides": st.none() | st.lists(STRIDE, min_size=5, max_size=5),
    },
    optional={
        "ndim": integers(32, 0, 1, 64, 65),
        "data": often([2**20], st.none() | st.integers(1, 2**63 - 1)),
    },
)


def make_fake(fields, kind=Fake, **more):
    """Sizes and strides for as many dimensions as may be believed are there, whatever ndim says."""
    fields = {"ndim": len(fields["shape"]), **fields, **more}
    fields.update(zip(("code", "bits", "lanes"), fields.pop("dtype"), strict=True))
    fields["shape"] = (fields["shape"] + [1] * 70)[:70]
    fields["strides"] = fields["strides"] and fields["strides"] + [1] * 65
    return kind(**fields)


def look_at(x):
    """All that can be done to a tensor without reading its elements."""
    assert x.numel() >= 0 and x.is_contiguous() in (True, False) and len(x.stride()) == x.ndim
    assert x.detach().shape == x.shape and x[...].stride() == x.stride()
    x.__dlpack__(max_version=(1, 0))
    if x.ndim:
        assert x[:0].tolist() is not None and x.transpose(0, -1).ndim == x.ndim


def imported(take, fake):
    """Was it shared? take: the call that imports it. On its way out everything is freed once."""
    start = STATS("cpu")["allocated"]
    try:
        x = take()
    except REFUSED as error:
        assert "expected" in str(error)
        return False
    assert fake.deleted == 0 and list(x.shape) == list(fake.shape[: fake.struct.tensor.ndim])
    look_at(x)
    del x
    assert fake.deleted == bool(fake.struct.deleter) and STATS("cpu")["allocated"] == start
    return True


def test_structs_in_capsules():
    shared = []

    @drawn(fields=STRUCT)
    def check(fields):
        fake = make_fake(fields)
        capsule = fake.capsule()
        if imported(lambda: bolide.from_dlpack(capsule, copy=False), fake):
            assert get_name(capsule).startswith(b"used_")
            with pytest.raises(ValueError, match="consumed"):
                bolide.from_dlpack(capsule)
            shared.append(fake)
            return
        other_major = fake.versioned and fields["version"][0] != 1
        assert fake.deleted == (other_major and fields["has_deleter"])
        assert get_name(capsule).startswith(b"used_") == other_major

    check()
    assert len(shared) > 10


def test_structs_of_tables():
    shared = []

    @drawn(fields=STRUCT)
    def check(fields):
        fake = make_fake(fields, table_class(give), versioned=True)
        if imported(lambda: bolide.from_dlpack(fake, copy=False), fake):
            shared.append(fake)
        elif fake.asked == 0:  # there is no capsule that would free it
            assert fake.deleted == fields["has_deleter"]

    check()
    assert len(shared) > 10


# ---- structs that do not lie about their memory -----------------------------------------------------------------

NUMBERS = {"int8": (0, 8), "uint8": (1, 8), "int16": (0, 16), "int32": (0, 32), "int64": (0, 64)}
HONEST = {
    "dtype": st.sampled_from(sorted(NUMBERS)),
    "shape": st.lists(st.integers(0, 3), max_size=4),
    "strides": st.lists(st.integers(-7, 7), min_size=4, max_size=4),
    "first": st.integers(0, 200),  # bytes before the first element
    "flags": st.sampled_from([0, 1, 2, 3]),
    "versioned": st.booleans(),
}


def honest(dtype, shape, strides, first, **more):
    """(a producer, the NumPy array that it shows); None where that would not fit into its memory."""
    code, bits = NUMBERS[dtype]
    fake = Fake([0.0] * 256, shape, strides[: len(shape)], code, bits, byte_offset=first, **more)
    memory = (ctypes.c_uint8 * 1024).from_buffer(fake.buffer)
    memory[:] = [i * 37 % 251 for i in range(1024)]
    by = [s * (n - 1) * bits // 8 for s, n in zip(strides, shape, strict=False) if n]
    low, high = first + sum(b for b in by if b < 0), first + sum(b for b in by if b > 0) + bits // 8
    if 0 in shape or (low >= 0 and high <= 1024):
        strides = [s * bits // 8 for s in strides[: len(shape)]]
        low = 0 if 0 in shape else first
        return fake, numpy.ndarray(shape, dtype, memory, low, None if 0 in shape else strides)
    return None


@drawn(**HONEST, copy=st.sampled_from([None, True, False]), own_table=st.booleans())
def test_values_of_honest_structs(copy, own_table, **fields):
    if (found := honest(**fields)) is None:
        return
    fake, expected = found
    own_table &= fields["versioned"]
    try:
        if own_table:
            made = ctypes.py_object()
            Importer(table_of(bolide.Tensor).import_)(ctypes.addressof(fake.struct), made)
            x = made.value
            ctypes.pythonapi.Py_DecRef(made)  # what it gave is ours, and x counts once more
        else:
            x = bolide.from_dlpack(fake, copy=copy)
    except bolide.CopyRequiredError:
        assert copy is False and fake.deleted == 0
        return
    shared = fake.deleted == 0
    assert x.tolist() == expected.tolist() and x.shape == expected.shape
    if copy is True and not own_table:
        assert fields["flags"] & 2 or not shared
    elif copy is False:
        assert own_table or shared
    assert not shared or x.numel() == 0 or x.data_ptr() == expected.ctypes.data
    assert (x * 1).tolist() == expected.tolist()
    x = None
    assert fake.deleted == 1


# ---- producers --------------------------------------------------------------------------------------------------


def used(fake):
    capsule = fake.capsule()
    bolide.from_dlpack(capsule)
    return capsule


def named(name):
    return lambda fake: new_capsule(ctypes.addressof(fake.struct), name, None)


def raising(error):
    def method(*_, **__):
        raise error("expected mine")

    return method


ANSWERS = [
    *[Fake.capsule] * 4,
    *[used, named(b"dltensor_other"), named(None), named(b"")],
    *[raising(kind) for kind in (TypeError, BufferError, KeyError, StopIteration)],
    *[lambda _, value=value: value for value in (None, b"dltensor", 5, bolide.ones(2), object)],
    lambda _: bolide.ones(2).__dlpack__(),
]
DEVICES = [
    *[lambda _: (CPU, 0)] * 4,
    *[lambda _, v=v: v for v in ((METAL, 0), (2, 0), (0, -1), (2**31, 0), (1.0, 0), "12", None)],
    *[raising(kind) for kind in (TypeError, KeyError)],
]
SIGNATURES = [
    lambda answer: (
        lambda self, *, stream=None, max_version=None, dl_device=None, copy=None: answer(self)
    ),
    lambda answer: lambda self, stream=None: answer(self),  # of old times
    lambda answer: lambda self: answer(self),
    lambda answer: lambda self, *args: answer(self),
    lambda answer: staticmethod(answer),
    lambda answer: None,
]


TYPES = [  # with the table that each has; they stay, since no capsule keeps its table alive
    *[table_class(give), table_class(give, major=2), table_class(give, name=b"dltensor")],
    *[table_class(give, functions=0), table_class(lambda fake, out: -1)],
    table_class(lambda fake, out: 0),
]
TABLES = [
    *[None] * 4,
    *[12345, "table", bolide.Tensor.__dlpack_c_exchange_api__],
    *[kind.__dlpack_c_exchange_api__ for kind in TYPES],
]
TAKERS = [
    bolide.from_dlpack,
    bolide.asarray,
    lambda fake, copy, device: bolide.from_dlpack(fake.__dlpack__(), copy=copy),
    lambda fake, copy, device: bolide.as_tensor(fake),
    lambda fake, copy, device: bolide.tensor([fake, fake]),
]


@drawn(
    answer=st.sampled_from(ANSWERS),
    device=st.sampled_from(DEVICES),
    signature=st.sampled_from(SIGNATURES),
    table=st.sampled_from(TABLES),
    take=st.sampled_from(TAKERS),
    copy=st.sampled_from([None, None, True, False, 1, "yes"]),
    where=st.sampled_from([None, None, "cpu", "meta", 5, -1, "cuda:99"]),
    versioned=st.booleans(),
)
def test_producers(answer, device, signature, table, take, copy, where, versioned):
    members = {"__dlpack__": signature(answer), "__dlpack_device__": device}
    if table is not None:
        members["__dlpack_c_exchange_api__"] = table
    fake = type("Drawn", (Fake,), members)(versioned=versioned or table is not None)
    start = STATS("cpu")["allocated"]
    try:
        x = take(fake, copy=copy, device=where)
    except (*REFUSED, KeyError, StopIteration, NotImplementedError):
        assert fake.deleted <= 1  # taken, looked at and given back
    else:
        assert x.tolist() in ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.0])
        x = None
        assert fake.deleted == 1 or (fake.deleted == 0 and answer is not Fake.capsule)
    assert STATS("cpu")["allocated"] == start
