"""DLPack in both directions: capsules, flags, ownership, layouts. Broken producers: test_dlpack_foreign.py."""

import ctypes
import gc
import os
import subprocess
import sys
import threading

import bolide
import pytest

numpy = pytest.importorskip("numpy")

from dlpack_fakes import (  # noqa: E402
    CPU,
    CUDA,
    DTYPES,
    IS_COPIED,
    READ_ONLY,
    Fake,
    StreamGetter,
    contents,
    get_name,
    give,
    live_bytes,
    table_class,
)

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
    with bolide.no_grad(), pytest.raises(BufferError, match="detach"):
        x.__dlpack__()
    with pytest.raises(BufferError, match="detach"):
        bolide.from_dlpack(x)


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


@pytest.mark.parametrize("version", [None, (1, 0)])
@pytest.mark.parametrize("name", DTYPES)
def test_capsules_keep_every_bit(name, version, device):
    whole = bolide.arange(192, dtype=bolide.int64).mul_(77).to(bolide.uint8)
    if name == "bool":
        whole = whole % 2
    x = whole.view(getattr(bolide, name)).to(device)  # NaN and subnormal numbers among them
    y = bolide.from_dlpack(x.__dlpack__(max_version=version))
    assert y.dtype is x.dtype and y.data_ptr() == x.data_ptr()
    assert y.view(bolide.uint8).tolist() == whole.tolist()


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


# ---- lifetimes ------------------------------------------------------------------------------------------------


def test_a_deleter_called_by_another_thread():
    fake = Fake()
    held = [bolide.from_dlpack(fake)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert fake.deleted == 1


def in_threads(work, count=16):
    """work in many threads at once; an error in one of them comes out."""
    errors = []

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_many_threads_exporting_and_importing():
    x = bolide.arange(100.0)
    storage = x.untyped_storage()
    takers = [bolide.from_dlpack, numpy.from_dlpack, numpy.asarray]

    def work():
        for i in range(300):
            y = bolide.from_dlpack(takers[i % 3](bolide.full((8,), i)))
            assert y[7].item() == i and takers[i % 3](x)[5].item() == 5.0
            x.__dlpack__()

    work()
    start, objects = live_bytes(), len(gc.get_objects())
    in_threads(work)
    of_tracer = (
        0 if sys.gettrace() is None else 300
    )  # it leaves some by thread; a leak is 300 a thread
    assert live_bytes() == start and len(gc.get_objects()) <= objects + 20 + of_tracer
    del storage
    assert bolide._C._has_storage_alone(x)  # exactly one reference is left


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


def emulated():
    """Does nothing run before somebody waits? A GPU may be done with its work at any time."""
    return "emulation" in bolide.cuda.get_device_name()


def test_streams_that_are_gone(device):
    if device == "cpu":
        pytest.skip("the CPU has no streams")
    x, y = bolide.zeros(6, device=device), bolide.zeros(6, device=device)
    stream = bolide.cuda.Stream()
    x.record_stream(stream)
    imported = bolide.from_dlpack(y.__dlpack__(stream=stream.cuda_stream))
    imported.record_stream(stream)
    del stream
    del x, imported, y  # which ask the stream whether it is done
    other = bolide.cuda.Stream()
    with bolide.cuda.stream(other):
        del other
        assert (bolide.ones(3, device=device) * 2).tolist() == [2.0] * 3


def test_the_consumers_stream_waits_for_our_work(device):
    if device == "cpu":
        pytest.skip("the CPU has no streams")
    for _ in range(5):
        stream = bolide.cuda.Stream()
        x = bolide.zeros(6, device=device)
        bolide.cuda.synchronize()
        for _ in range(50):
            x.add_(1)
        capsule = x.__dlpack__(stream=stream.cuda_stream, max_version=(1, 0))  # -1 fails here
        with bolide.cuda.stream(stream):
            assert (bolide.from_dlpack(capsule) * 1).tolist() == [50.0] * 6


def test_our_stream_waits_for_the_producers_work(device):
    """What the table of a producer gives is ready on that one's stream, not on ours."""
    if device == "cpu":
        pytest.skip("the CPU has no streams")
    theirs = bolide.cuda.Stream()
    asked = []

    @StreamGetter
    def their_stream(kind, number, out):
        asked.append((kind, number))
        out[0] = theirs.cuda_stream
        return 0

    kind = table_class(give)
    kind.table.stream = ctypes.cast(their_stream, ctypes.c_void_p).value
    x = bolide.zeros(6, device=device)
    bolide.cuda.synchronize()
    with bolide.cuda.stream(theirs):
        for _ in range(50):
            x.add_(1)
    y = bolide.from_dlpack(kind(device=CUDA, data=x.data_ptr()))
    assert y.data_ptr() == x.data_ptr() and (y * 1).tolist() == [50.0] * 6
    assert asked == [(CUDA, 0)]


def test_foreign_memory_is_given_back_when_our_work_is_done(device):
    if device == "cpu":
        pytest.skip("nothing is queued on the CPU")
    x = bolide.full((6,), 3.0, device=device)
    other = bolide.cuda.Stream()
    for recorded in (False, True):
        bolide.cuda.synchronize()
        fake = Fake(device=CUDA, data=x.data_ptr())
        y = bolide.from_dlpack(fake)
        with bolide.cuda.stream(other if recorded else bolide.cuda.current_stream()):
            z = y * 2
            for _ in range(50):
                z = z + y
        if recorded:
            y.record_stream(other)
        del y
        assert (
            fake.deleted == 0 or not emulated()
        )  # at once, while kernels are to read it: corruption
        other.synchronize()
        bolide.cuda.synchronize()
        assert fake.deleted == 1 and z.tolist() == [156.0] * 6


def test_what_is_copied_on_cuda_is_given_back_when_the_copy_is_done(device):
    if device == "cpu":
        pytest.skip("nothing is queued on the CPU")
    x = bolide.arange(6.0, device=device)
    bolide.cuda.synchronize()
    flipped = Fake(device=CUDA, data=x.data_ptr() + 20, strides=(-1,))
    y = bolide.from_dlpack(flipped)
    assert flipped.deleted == 0 or not emulated()
    assert y.tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    bolide.cuda.synchronize()
    assert flipped.deleted == 1


def test_while_a_graph_is_captured(device):
    """Another library captures its stream: what would join the capture is refused, what is outside leaves it alone."""
    library = os.environ.get("BOLIDE_CUDA_LIBRARY")
    if device == "cpu" or not library or not emulated():
        pytest.skip(
            "only the emulated library lets a test capture; tests/gpu/test_exchange.py does on a GPU"
        )
    cudart, graph = ctypes.CDLL(library), ctypes.c_void_p()
    theirs, side = bolide.cuda.Stream(), bolide.cuda.Stream()
    x = bolide.ones(6, device=device)
    held = bolide.from_dlpack(Fake(device=CUDA, data=x.data_ptr()))
    bolide.cuda.synchronize()
    with bolide.cuda.stream(side):
        y = held * 2
    held.record_stream(side)
    del held  # waits for side, so that there is an event to ask for

    @StreamGetter
    def capturing(kind, number, out):
        out[0] = theirs.cuda_stream
        return 0

    kind = table_class(give)
    kind.table.stream = ctypes.cast(capturing, ctypes.c_void_p).value
    assert cudart.cudaStreamBeginCapture(ctypes.c_void_p(theirs.cuda_stream), 0) == 0
    with pytest.raises(BufferError, match="capture"):
        x.__dlpack__(stream=theirs.cuda_stream)
    producer = kind(device=CUDA, data=x.data_ptr())
    with pytest.raises(BufferError, match="capture"):
        bolide.from_dlpack(producer)
    assert producer.deleted == 1
    shared = bolide.from_dlpack(x.__dlpack__(stream=-1))  # asks that event
    assert bolide.empty(3_000_000, device=device).numel() == 3_000_000  # of new memory
    assert (
        cudart.cudaStreamEndCapture(ctypes.c_void_p(theirs.cuda_stream), ctypes.byref(graph)) == 0
    )
    bolide.cuda.synchronize()  # y was made on side
    assert shared.tolist() == x.tolist() and y.tolist() == [2.0] * 6
    assert bolide.from_dlpack(x.__dlpack__(stream=theirs.cuda_stream)).tolist() == x.tolist()


def test_a_producer_is_told_our_stream(device):
    if device == "cpu":
        pytest.skip("the CPU has no streams")
    told = []

    class Producer(Fake):
        def __dlpack__(self, *, max_version, stream):
            told.append(stream)
            return self.capsule()

    x, side = bolide.ones(6, device=device), bolide.cuda.Stream()
    with bolide.cuda.stream(side):
        bolide.from_dlpack(Producer(device=CUDA, data=x.data_ptr()))
    bolide.from_dlpack(Producer(device=CUDA, data=x.data_ptr()))
    assert told == [side.cuda_stream, bolide.cuda.current_stream().cuda_stream]
