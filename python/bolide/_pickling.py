"""How tensors are pickled and deep-copied: as views of storages, so that tensors that share memory still do afterwards."""

import copy

from bolide import _C
from bolide.storage import UntypedStorage
from bolide.storage import load_storage as load_storage  # older pickles ask for it here


def rebuild_tensor(kind, storage, dtype, offset, size, stride, requires_grad):
    """Called by pickle and copy: a tensor, or one of a subclass, on a storage."""
    tensor = _C._on_storage(kind, storage.tensor, dtype, offset, size, stride)
    return tensor.requires_grad_() if requires_grad else tensor


def _arguments(tensor, storage):
    return (
        type(tensor),
        storage,
        tensor.dtype,
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.requires_grad,
    )


def reduce_tensor(tensor, protocol):
    """What Tensor.__reduce_ex__ returns. A tensor with a history becomes a leaf; hooks and .grad stay behind."""
    return rebuild_tensor, _arguments(tensor, UntypedStorage.of(tensor)), tensor.__dict__ or None


def deepcopy_tensor(tensor, memo):
    """What Tensor.__deepcopy__ returns: a copy with its attributes and .grad, sharing what the originals share."""
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise _C.BolideError(
            "[deepcopy] expected a leaf, got a tensor with a history. Only Tensors created explicitly by the user "
            "(graph leaves) support the deepcopy protocol; detach() or clone() it."
        )
    copied = rebuild_tensor(*_arguments(tensor, copy.deepcopy(UntypedStorage.of(tensor), memo)))
    memo[id(tensor)] = copied
    if tensor.grad is not None:
        copied.grad = copy.deepcopy(tensor.grad, memo)
    if tensor.__dict__:
        copied.__dict__.update(copy.deepcopy(tensor.__dict__, memo))
    return copied
