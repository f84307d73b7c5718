"""Exchange with PyTorch, JAX and CuPy on a real GPU, on streams that run late: what only a GPU shows of order.

A kernel that waits (torch.cuda._sleep) holds up the stream that is to be waited for. Each race has a control without the
synchronization (stream=-1), which must see the old values: else the race would prove nothing. Run by run.sh; skipped
where there is no GPU.
"""

import os

import pytest

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import bolide

torch = pytest.importorskip("torch")
if not torch.cuda.is_available() or not bolide.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)
if "emulation" in bolide.cuda.get_device_name():
    pytest.skip("the device is emulated", allow_module_level=True)

LATE = 100_000_000  # cycles: some 50 ms
N = 1 << 20


def late(stream):
    """The torch or bolide stream does nothing for a while."""
    if isinstance(stream, bolide.cuda.Stream):
        stream = torch.cuda.ExternalStream(stream.cuda_stream)
    with torch.cuda.stream(stream):
        torch.cuda._sleep(LATE)
    return stream


@pytest.fixture(autouse=True)
def quiet():
    torch.cuda.synchronize()
    yield
    torch.cuda.synchronize()
    bolide.cuda.synchronize()


# ---- races ------------------------------------------------------------------------------------------------------


def bolide_sees(trip, synchronized):
    """What bolide reads of a torch tensor that is filled late on a side stream."""
    t, side = torch.zeros(N, device="cuda"), torch.cuda.Stream()
    torch.cuda.synchronize()
    late(side)
    with torch.cuda.stream(side):
        t.fill_(trip)
        if synchronized == "table":
            x = bolide.from_dlpack(t)
        else:
            stream = bolide.cuda.current_stream().cuda_stream if synchronized else -1
            x = bolide.from_dlpack(t.__dlpack__(stream=stream, max_version=(1, 0)))
    done = side.query()
    seen = (x * 1).cpu()
    return seen.min().item(), seen.max().item(), done


@pytest.mark.parametrize("synchronized", ["table", True])
def test_bolide_reads_what_pytorch_has_queued(synchronized):
    bolide_sees(0, synchronized)  # a kernel's first launch may wait for the device
    for trip in range(1, 11):
        low, high, done = bolide_sees(trip, synchronized)
        assert low == high == trip
        assert not done  # nobody waited: the stream was still busy when from_dlpack had returned


def test_without_the_event_bolide_reads_too_early():
    bolide_sees(0, False)
    assert any(bolide_sees(trip, False)[0] != trip for trip in range(1, 6))


def torch_sees(trip, synchronized):
    """What torch reads of a bolide tensor that is filled late on a side stream."""
    x, side, reader = bolide.zeros(N, device="cuda"), bolide.cuda.Stream(), torch.cuda.Stream()
    bolide.cuda.synchronize()
    late(side)
    with bolide.cuda.stream(side), torch.cuda.stream(reader):
        x.fill_(trip)
        stream = reader.cuda_stream if synchronized else -1
        t = torch.from_dlpack(x.__dlpack__(stream=stream, max_version=(1, 0)))
        done = torch.cuda.ExternalStream(side.cuda_stream).query()
        seen = (t * 1).cpu()
    return seen.min().item(), seen.max().item(), done


def test_pytorch_reads_what_bolide_has_queued():
    torch_sees(0, True)
    for trip in range(1, 11):
        low, high, done = torch_sees(trip, True)
        assert low == high == trip and not done


def test_without_the_event_pytorch_reads_too_early():
    torch_sees(0, False)
    assert any(torch_sees(trip, False)[0] != trip for trip in range(1, 6))


# ---- memory that is still in use --------------------------------------------------------------------------------


def test_memory_of_pytorch_goes_back_when_our_kernels_are_done():
    ours = bolide.cuda.Stream()
    for trip in range(1, 11):
        t = torch.full((N,), float(trip), device="cuda")
        address = t.data_ptr()
        torch.cuda.synchronize()
        with bolide.cuda.stream(ours):
            x = bolide.from_dlpack(t)
            late(ours)
            y = x * 1
        del t, x
        again = torch.full((N,), -1.0, device="cuda")  # of the same memory, had it been given back
        assert again.data_ptr() != address
        with bolide.cuda.stream(ours):
            assert y.cpu().min().item() == trip
        del again


def test_our_memory_is_not_used_again_while_pytorch_reads_it():
    reader = torch.cuda.Stream()
    for trip in range(1, 11):
        x = bolide.full((N,), float(trip), device="cuda")
        with torch.cuda.stream(reader):
            t = torch.from_dlpack(x)
            late(reader)
            y = t * 1
        del t, x
        again = bolide.full((N,), -1.0, device="cuda")
        bolide.cuda.synchronize()
        with torch.cuda.stream(reader):
            assert y.cpu().min().item() == trip
        del again


# ---- requests ---------------------------------------------------------------------------------------------------


def test_streams_by_number():
    x = bolide.arange(6.0, device="cuda")
    side = torch.cuda.Stream()
    for stream in (None, 1, 2, -1, side.cuda_stream):
        capsule = x.__dlpack__(stream=stream, max_version=(1, 0))
        torch.cuda.synchronize()
        assert torch.from_dlpack(capsule).tolist() == x.tolist()
    with pytest.raises(ValueError):
        x.__dlpack__(stream=0)


def test_a_copy_on_the_cpu():
    x = bolide.arange(6.0, device="cuda")
    assert bolide.from_dlpack(x, device="cpu").tolist() == x.tolist()
    assert (
        torch.from_dlpack(x.__dlpack__(dl_device=(1, 0), max_version=(1, 0))).tolist() == x.tolist()
    )
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(1, 0), copy=False)
    t = torch.arange(6.0, device="cuda")
    assert bolide.from_dlpack(t, device="cpu").tolist() == t.tolist()


def test_pinned_memory():
    t = torch.arange(6.0).pin_memory()
    x = bolide.from_dlpack(t)
    assert x.device.type == "cpu" and x.data_ptr() == t.data_ptr() and x.tolist() == t.tolist()


def test_a_capture_survives():
    x, t = bolide.ones(N, device="cuda"), torch.zeros(N, device="cuda")
    shared = torch.from_dlpack(x)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        t += shared
        with pytest.raises(BufferError, match="capture"):
            torch.from_dlpack(x)
        with pytest.raises(
            BufferError, match="capture"
        ):  # else our stream would join PyTorch's capture
            bolide.from_dlpack(t)
        capsule = x.__dlpack__(stream=-1, max_version=(1, 0))
        t += torch.from_dlpack(capsule)
    for _ in range(3):
        graph.replay()
    torch.cuda.synchronize()
    assert t.min().item() == t.max().item() == 6.0


def test_the_current_device_stays():
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU")
    x = bolide.ones(6, device="cuda:1")
    t = torch.from_dlpack(x)
    assert t.device.index == 1 and t.tolist() == [1.0] * 6
    assert torch.cuda.current_device() == 0 == bolide.cuda.current_device()
    assert bolide.from_dlpack(t + 1).device.index == 1


# ---- partners ---------------------------------------------------------------------------------------------------


def test_cupy_on_a_side_stream():
    cupy = pytest.importorskip("cupy")
    side = cupy.cuda.Stream(non_blocking=True)
    late(torch.cuda.ExternalStream(side.ptr))
    with side:
        a = cupy.full((N,), 3.0, dtype="float32")
        x = bolide.from_dlpack(a)
    assert x.data_ptr() == a.data.ptr and (x * 1).cpu().min().item() == 3.0
    late(bolide.cuda.current_stream())
    x.fill_(4.0)
    with side:
        b = cupy.from_dlpack(x)
        assert b.data.ptr == x.data_ptr() and float((b * 1).min()) == 4.0
    c = bolide.asarray(cupy.asarray(x))  # __cuda_array_interface__ one way, DLPack back
    assert c.data_ptr() == x.data_ptr() and c.min().item() == 4.0


def test_jax():
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX has no GPU")
    late(bolide.cuda.current_stream())
    x = bolide.full((N,), 2.0, device="cuda")
    a = jax.dlpack.from_dlpack(x)
    assert float(a.max()) == 2.0 and a.unsafe_buffer_pointer() == x.data_ptr()
    y = bolide.from_dlpack(a + 1)
    assert y.min().item() == 3.0
    with pytest.raises(RuntimeError, match="read-only"):
        y.add_(1)


def test_ops_and_optimizers_in_a_pytorch_program():
    import bolide.interop.torch as bt

    x = torch.randn(64, 32, device="cuda", requires_grad=True)
    bt.nn.functional.gelu(x).sum().backward()
    expected = torch.autograd.grad(torch.nn.functional.gelu(x).sum(), x)[0]
    assert torch.allclose(x.grad, expected, atol=1e-5)
    models = [torch.nn.Linear(32, 4).cuda() for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    kinds = (torch.optim.AdamW, bt.optim.AdamW)
    for model, kind in zip(models, kinds, strict=True):
        optimizer = kind(model.parameters(), lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            model(x.detach()).square().mean().backward()
            optimizer.step()
    assert torch.allclose(models[0].weight, models[1].weight, atol=1e-5)
