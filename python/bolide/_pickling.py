"""How tensors are pickled and deep-copied: as views of storages, so that tensors that share memory still do afterwards."""

import copy
import weakref

from bolide import _C

_storages: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


class Storage:
    """The bytes that tensors lie in. One object for all of them, as long as it lives: pickle and deepcopy tell
    shared memory by it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor):
        self.tensor = tensor  # uint8, all of the storage

    @classmethod
    def of(cls, tensor):
        """The storage of a tensor."""
        whole = _C._storage_bytes(tensor)
        key = (str(whole.device), whole.data_ptr(), whole.numel())
        known = _storages.get(key) if whole.numel() else None
        if known is None:
            known = _storages[key] = cls(whole)
        return known

    def __reduce__(self):
        return load_storage, (_C._to_bytes(self.tensor), str(self.tensor.device))

    def __deepcopy__(self, memo):
        return Storage(self.tensor.clone())


def load_storage(data, device):
    """Called by pickle: a storage from its bytes."""
    return Storage(_C._from_bytes(data, _C.device(device)))


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
    return rebuild_tensor, _arguments(tensor, Storage.of(tensor)), tensor.__dict__ or None


def deepcopy_tensor(tensor, memo):
    """What Tensor.__deepcopy__ returns: a copy with its attributes and .grad, sharing what the originals share."""
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise _C.BolideError(
            "[deepcopy] expected a leaf, got a tensor with a history. Only Tensors created explicitly by the user "
            "(graph leaves) support the deepcopy protocol; detach() or clone() it."
        )
    copied = rebuild_tensor(*_arguments(tensor, copy.deepcopy(Storage.of(tensor), memo)))
    memo[id(tensor)] = copied
    if tensor.grad is not None:
        copied.grad = copy.deepcopy(tensor.grad, memo)
    if tensor.__dict__:
        copied.__dict__.update(copy.deepcopy(tensor.__dict__, memo))
    return copied
