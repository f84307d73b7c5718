"""Storages, what tensors take from them, and Python functions of the elements."""

import copy
import pickle

import bolide
import numpy as np
import pytest


def test_views_have_one_storage():
    x = bolide.arange(6.0)
    whole = x.untyped_storage()
    assert x[2:].untyped_storage() is whole and x.clone().untyped_storage() is not whole
    assert whole.data_ptr() == x.data_ptr() and whole.nbytes() == whole.size() == len(whole) == 24
    assert whole.device == x.device and not whole.is_cuda and bolide.is_storage(whole)
    assert bytes(whole.tolist()) == x.numpy().tobytes() and whole.element_size() == 1
    assert not bolide.is_storage(x) and isinstance(whole, bolide.UntypedStorage)


def test_a_storage_as_numbers():
    x = bolide.tensor([[1, 2], [3, 4]], dtype=bolide.int16)
    numbers = x[1:].storage()
    assert type(numbers) is bolide.ShortStorage is x.storage_type()
    assert isinstance(numbers, bolide.TypedStorage) and numbers.dtype is bolide.int16
    assert numbers.tolist() == list(numbers) == [1, 2, 3, 4] and numbers.size() == 4
    assert numbers.nbytes() == 8 and numbers[1] == 2 and numbers[1:3].tolist() == [2, 3]
    numbers[0] = 9
    assert x[0, 0].item() == 9 and numbers.untyped() is x.untyped_storage()
    assert numbers.copy_(bolide.ShortStorage([5, 6, 7, 8])) is numbers and x.tolist() == [
        [5, 6],
        [7, 8],
    ]
    assert numbers.fill_(3).tolist() == [3] * 4 and numbers.clone().data_ptr() != x.data_ptr()
    with pytest.raises(RuntimeError, match="expected 4 elements, got 1"):
        numbers.copy_(bolide.ShortStorage(1))
    assert repr(numbers).endswith("TypedStorage(dtype=bolide.int16, device=cpu) of size 4]")


def test_storages_are_made_of_sizes_and_sequences():
    assert (
        bolide.UntypedStorage([1, 2, 3]).tolist() == [1, 2, 3]
        and len(bolide.UntypedStorage(5)) == 5
    )
    assert bolide.FloatStorage([1, 2]).tolist() == [1.0, 2.0] and len(bolide.FloatStorage()) == 0
    assert (
        repr(bolide.UntypedStorage([7]))
        == " 7\n[bolide.storage.UntypedStorage(device=cpu) of size 1]"
    )
    with pytest.raises(TypeError, match="one of its kinds"):
        bolide.TypedStorage(2)
    with pytest.raises(TypeError, match="a size or a sequence"):
        bolide.UntypedStorage(1, 2)


def test_storages_are_copied_with_what_lies_in_them():
    x = bolide.arange(3.0)
    for again in (copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))):
        tensor, storage = again((x, x.untyped_storage()))
        assert storage is tensor.untyped_storage() and storage.data_ptr() != x.data_ptr()
        assert tensor.tolist() == [0.0, 1.0, 2.0]


def test_set(device):
    x = bolide.arange(6.0, device=device)
    y = bolide.zeros(3, device=device)
    y.version = y._version
    assert y.set_(x) is y and y.tolist() == x.tolist() and y.is_set_to(x) and y._version > y.version
    assert y.set_(x.untyped_storage(), 1, (2, 2), (2, 1)).tolist() == [[1, 2], [3, 4]]
    y[0, 0] = 9
    assert x.tolist()[1] == 9 and y.untyped_storage() is x.untyped_storage()
    assert y.set_(x, 2, (2, 2)).stride() == (2, 1)
    assert y.set_(x[3:].storage()).shape == (6,)
    assert y.set_().shape == (0,) and x.tolist() == [0, 9, 2, 3, 4, 5]
    bits = bolide.zeros(1, dtype=bolide.int32, device=device).set_(x.untyped_storage())
    assert bits[0].item() == 0 and bits[2].item() == np.float32(2).view(np.int32)


def test_set_says_what_it_does_not_take():
    x, leaf = bolide.zeros(3), bolide.zeros(3, requires_grad=True)
    for arguments, error, match in (
        (
            (bolide.zeros(3, dtype=bolide.int8),),
            RuntimeError,
            "a source of bolide.float32, got bolide.int8",
        ),
        ((x.untyped_storage(), 1, (3,)), RuntimeError, "within the storage's 3 elements"),
        ((x.untyped_storage(), -1, (1,)), RuntimeError, "offset of zero or more, got -1"),
        ((x, 0), TypeError, "together"),
        ((3,), TypeError, "got int"),
        ((leaf,), NotImplementedError, "no derivative"),
    ):
        with pytest.raises(error, match=match):
            bolide.zeros(3).set_(*arguments)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.set_(x)
    with bolide.no_grad():
        assert leaf.set_(bolide.ones(2)).requires_grad and leaf.tolist() == [1, 1]


def test_new(device):
    x = bolide.zeros(3, dtype=bolide.float64, device=device)
    assert x.new().shape == (0,) and x.new(2, 3).shape == (2, 3) and x.new(2).shape == (2,)
    assert x.new(bolide.Size([2, 3])).shape == (2, 3) and x.new((2, 3)).tolist() == [2.0, 3.0]
    for made in (
        x.new([1, 2]),
        x.new(np.array([1, 2])),
        x.new(bolide.ones(2).to(x) * 2),
        x.new(x.storage()),
    ):
        assert made.dtype is x.dtype and made.device == x.device
    assert x.new([1, 2]).tolist() == [1.0, 2.0] and x.new(x.storage()).data_ptr() == x.data_ptr()
    y = bolide.ones_like(x)
    assert x.new(y) is not y and x.new(y).data_ptr() == y.data_ptr()
    for wrong in (3.0, "a", bolide.zeros(2, dtype=bolide.int8)):
        with pytest.raises(TypeError):
            x.new(wrong)


def test_functions_of_elements():
    x = bolide.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.T.apply_(lambda v: v * 2) is not x and x.tolist() == [[2, 4], [6, 8]]
    assert x.map_(bolide.tensor([10.0, 20.0]), lambda a, b: a + b).tolist() == [[12, 24], [16, 28]]
    assert x.map2_(x, bolide.tensor(1.0), lambda a, b, c: a - b + c).tolist() == [[1, 1], [1, 1]]
    assert bolide.zeros(0).apply_(lambda v: 1 / 0).shape == (0,)
    with pytest.raises(RuntimeError, match="do not require grad"):
        bolide.ones(2, requires_grad=True).apply_(abs)


def test_as_subclass():
    class Mine(bolide.Tensor):
        pass

    x = bolide.ones(2, requires_grad=True)
    y = (x * 2).as_subclass(Mine)
    assert type(y) is Mine and y.tolist() == [2, 2]
    (y * y).sum().backward()
    assert x.grad.tolist() == [8, 8]
    with pytest.raises(TypeError, match="subclass"):
        x.as_subclass(int)


def test_type_by_its_older_names():
    x = bolide.tensor([1.5])
    assert x.type(bolide.DoubleTensor).dtype is bolide.float64 and x.type(
        bolide.LongTensor
    ).tolist() == [1]
