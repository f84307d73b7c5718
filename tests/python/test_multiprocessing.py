"""Tensors in memory that several processes see."""

import copy
import os
import pickle
import subprocess
import sys

import bolide
import pytest
from bolide import nn
from dlpack_fakes import live_bytes

mp = pytest.importorskip("bolide.multiprocessing")


def add_one(x, results, orders):
    x += 1
    results.put(x[1:])
    assert orders.get(timeout=60) == "go"  # what it sent must have arrived before it ends


def change_model(model):
    with bolide.no_grad():
        for p in model.parameters():
            p.fill_(7.0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_a_process_writes_the_others_see(method):
    context = mp.get_context(method)
    x = bolide.arange(6.0).share_memory_()
    results, orders = context.Queue(), context.Queue()
    worker = context.Process(target=add_one, args=(x, results, orders))
    worker.start()
    back = results.get(timeout=60)
    x[5] = -1.0
    assert back.is_shared() and back.tolist() == [2.0, 3.0, 4.0, 5.0, -1.0]
    orders.put("go")
    worker.join(60)
    assert worker.exitcode == 0 and x.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, -1.0]


def test_a_model_in_shared_memory():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False)).share_memory()
    assert all(t.is_shared() for t in (*model.parameters(), *model.buffers()))
    worker = mp.get_context("fork").Process(target=change_model, args=(model,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0 and all(
        p.tolist() == bolide.full_like(p, 7).tolist() for p in model.parameters()
    )


def test_sharing_keeps_the_tensor():
    base = bolide.arange(12, dtype=bolide.int16).reshape(3, 4)
    x = base.t()[1:]
    del base
    same = x.share_memory_()
    assert same is x and x.is_shared() and x.shape == (3, 3) and x.stride() == (1, 4)
    assert x.tolist() == [[1, 5, 9], [2, 6, 10], [3, 7, 11]] and x[1:].is_shared()
    address = x.data_ptr()
    assert x.share_memory_().data_ptr() == address
    for shape in ((), (0,), (2, 0)):
        y = bolide.ones(shape).share_memory_()
        assert y.is_shared() and y.shape == shape and y.tolist() == bolide.ones(shape).tolist()
    leaf = nn.Parameter(bolide.ones(2))
    leaf.share_memory_()
    (leaf * 3).sum().backward()
    assert leaf.is_leaf and leaf.requires_grad and leaf.grad.tolist() == [3.0, 3.0]


def test_what_cannot_be_shared_is_refused():
    x = bolide.ones(4)
    users = {
        "a view": lambda: x[1:],
        "an array": lambda: pytest.importorskip("numpy").asarray(x),
        "a buffer": lambda: memoryview(x),
        "a capsule": lambda: x.__dlpack__(),
    }
    for make in users.values():
        user = make()
        with pytest.raises(bolide.BolideError, match="views, arrays or a graph"):
            x.share_memory_()
        assert not x.is_shared()
        del user
    assert x.share_memory_().is_shared() and x.tolist() == [1.0] * 4
    for make in users.values():
        user = make()
        assert x.share_memory_() is x  # nothing is left to do
        del user
    y = bolide.ones(3, requires_grad=True).exp()  # saved by the graph as another tensor
    with pytest.raises(bolide.BolideError, match="views, arrays or a graph"):
        y.share_memory_()
    y.sum().backward()


def test_a_graph_that_saved_the_tensor_sees_no_change():
    x, w = bolide.arange(4.0), bolide.ones(4, requires_grad=True)
    loss = (x * w).sum()
    version = x._version
    x.share_memory_()
    loss.backward()
    assert x._version == version and w.grad.tolist() == x.tolist()
    loss = (x * w).sum()
    x.add_(1)  # in shared memory as elsewhere
    with pytest.raises(RuntimeError, match="in-place"):
        loss.backward()


def test_shared_tensors_stay_themselves_among_others():
    x = bolide.ones(2).share_memory_()
    assert not pickle.loads(pickle.dumps(x)).is_shared()  # a file must not refer to memory
    assert not copy.deepcopy(x).is_shared() and copy.copy(x).is_shared()
    assert bolide.from_dlpack(x).is_shared() is False  # it goes by the capsule's owner
    assert bolide.from_dlpack(x).data_ptr() == x.data_ptr()


def test_tensors_on_cuda_are_left_alone(device):
    x = bolide.ones(2, device=device)
    address = x.data_ptr()
    assert x.share_memory_() is x and x.is_shared()
    assert (x.data_ptr() == address) == (device == "cuda")


def test_shared_memory_is_given_back():
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    bolide.ones(2).share_memory_()
    start, files = live_bytes(), descriptors()
    for _ in range(20):
        x = bolide.ones(1000).share_memory_()
        view = x[1:]
    del x
    assert view.sum().item() == 999.0
    del view
    assert live_bytes() == start and descriptors() == files


def test_importing_bolide_does_not_import_multiprocessing():
    code = "import sys, bolide; assert 'multiprocessing' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
