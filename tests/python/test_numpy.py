"""Arrays of NumPy: shared memory, dtypes, operators with both, buffers."""

import bolide
import pytest


def test_numpy_arrays_share_memory():
    numpy = pytest.importorskip("numpy")
    a = numpy.arange(6.0).reshape(2, 3)
    x = bolide.from_numpy(a)
    x[0, 0] = 9.0
    assert (
        a[0, 0] == 9.0
        and x.numpy().ctypes.data == a.ctypes.data
        and bolide.as_tensor(a).data_ptr() == x.data_ptr()
    )
    assert bolide.tensor(a).data_ptr() != x.data_ptr() and x.T.numpy().tolist() == a.T.tolist()
    b = bolide.ones(3)
    b.numpy()[1] = 5.0
    assert (
        b.tolist() == [1.0, 5.0, 1.0]
        and numpy.asarray(b)[1] == 5.0
        and bolide.from_numpy(a[::2, 1:]).tolist() == a[::2, 1:].tolist()
    )
    kept = bolide.ones(1000).numpy()
    assert kept.sum() == 1000.0
    for shape in ((), (0,), (2, 0)):
        assert (
            bolide.from_numpy(numpy.ones(shape)).shape == shape == bolide.ones(shape).numpy().shape
        )


@pytest.mark.parametrize(
    "name", "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
)
def test_numpy_dtypes(name):
    numpy = pytest.importorskip("numpy")
    a = numpy.array([0, 1, 1], dtype=name)
    x = bolide.from_numpy(a)
    assert (
        x.dtype is getattr(bolide, name) and x.tolist() == [0, 1, 1] and x.numpy().dtype == a.dtype
    )
    assert bolide.tensor(a).dtype is x.dtype and bolide.tensor(a[0]).item() == 0


def test_numpy_arrays_that_do_not_fit():
    numpy = pytest.importorskip("numpy")
    for bad in (
        numpy.zeros(2, numpy.uint16),
        numpy.zeros(2, "datetime64[s]"),
        numpy.array(["x"]),
        numpy.array([None]),
        numpy.zeros(2, numpy.longdouble),
        numpy.zeros(2, ">f4"),
        numpy.zeros(2, [("a", "f4")]),
    ):
        with pytest.raises(TypeError):
            bolide.from_numpy(bad)
        with pytest.raises(TypeError):
            bolide.tensor(bad)
    with pytest.raises(ValueError):
        bolide.from_numpy(numpy.arange(3.0)[::-1])
    assert bolide.tensor(numpy.arange(3.0)[::-1]).tolist() == [2.0, 1.0, 0.0]
    packed = numpy.zeros(3, [("a", "u1"), ("b", "<f4")])["b"]
    with pytest.raises(ValueError):
        bolide.from_numpy(packed)
    assert bolide.tensor(packed).tolist() == [0.0] * 3
    with pytest.raises(TypeError):
        bolide.from_numpy([1.0])
    frozen = numpy.arange(3.0)
    frozen.flags.writeable = False
    x = bolide.from_numpy(frozen)
    with pytest.raises(RuntimeError, match="read-only"):
        x += 1
    for bad, error in (
        (bolide.ones(1, requires_grad=True), RuntimeError),
        (bolide.ones(1, dtype=bolide.bfloat16), TypeError),
    ):
        with pytest.raises(error):
            bad.numpy()
    assert bolide.ones(1, requires_grad=True).numpy(force=True).tolist() == [1.0]


def test_operators_with_numpy():
    numpy = pytest.importorskip("numpy")
    x, a = bolide.tensor([1.0, 2.0]), numpy.array([3.0, 4.0])
    for result in (x + a, a + x, a * x, x - a, a - x, a / x, x < a, a < x):
        assert isinstance(result, bolide.Tensor)
    assert (
        (a - x).tolist() == [2.0, 2.0]
        and (x + a).dtype == bolide.float64
        and (a < x).tolist() == [False, False]
    )
    for scalar in (
        numpy.float32(2),
        numpy.float64(2),
        numpy.int64(2),
        numpy.float16(2),
        numpy.uint8(2),
    ):
        assert (x * scalar).tolist() == [2.0, 4.0] == (scalar * x).tolist() and (
            x * scalar
        ).dtype == bolide.float32
    assert (bolide.tensor([1]) + numpy.int32(2)).dtype == bolide.int64 and (
        x == numpy.float32(1)
    ).tolist() == [True, False]
    assert bolide.ones(3)[numpy.int64(1)].item() == 1.0 and bolide.ones(numpy.int64(3)).shape == (
        3,
    )
    assert x[numpy.array([1, 0])].tolist() == [2.0, 1.0] and x[
        numpy.array([True, False])
    ].tolist() == [1.0]
    x[0] = numpy.float32(7)
    x[1:] = numpy.array([8.0])
    assert x.tolist() == [7.0, 8.0] and isinstance(numpy.exp(x), bolide.Tensor)
    assert bolide.tensor([numpy.float32(1.5), numpy.int64(2), numpy.bool_(True)]).tolist() == [
        1.5,
        2.0,
        1.0,
    ]
    assert (
        bolide.tensor([a, a]).tolist() == [[3.0, 4.0]] * 2
        and bolide.tensor([a]).dtype == bolide.float64
    )
    y = bolide.ones(2)
    y += numpy.array([1.0, 2.0])
    assert y.tolist() == [2.0, 3.0] and numpy.array([y, y]).shape == (2, 2)
    assert numpy.asarray(y, dtype="int64").tolist() == [2, 3] and numpy.array(y).base is None


def test_frombuffer():
    data = bytearray(b"\x01\x00\x00\x00\x02\x00\x00\x00")
    x = bolide.frombuffer(data, dtype=bolide.int32)
    assert x.tolist() == [1, 2] and bolide.frombuffer(
        data, dtype=bolide.int32, offset=4
    ).tolist() == [2]
    data[0] = 9
    assert x[0].item() == 9
    with pytest.raises(RuntimeError):
        bolide.frombuffer(b"\x01\x00\x00\x00", dtype=bolide.int32).add_(1)
    for named in ({"offset": 100}, {"offset": -1}, {"count": 3}, {"offset": 3}, {"count": 0}):
        with pytest.raises(ValueError):
            bolide.frombuffer(data, dtype=bolide.int32, **named)


def test_frombuffer_refuses_what_has_no_buffer():
    for wrong in (3, [1, 2]):
        with pytest.raises(ValueError, match="object with a buffer"):
            bolide.frombuffer(wrong, dtype=bolide.int8)


def test_arrays_are_shared_where_nothing_is_recorded():
    numpy = pytest.importorskip("numpy")
    x = bolide.ones(2, requires_grad=True)
    with bolide.no_grad():
        x.numpy()[0] = 3
        assert numpy.asarray(x).tolist() == [3, 1]
    assert x.tolist() == [3, 1]
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
