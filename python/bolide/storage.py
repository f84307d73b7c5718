"""What tensors lie in: untyped_storage(), bytes, and storage(), the same as numbers of one dtype.

A storage is told by the tensor of all its bytes, so what it can do on a device is what tensors can.
Reference: torch.storage.
"""

import weakref

from bolide import _C

__all__ = ["TypedStorage", "UntypedStorage"]

_known: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


def _bytes_on(device, items):
    """A tensor of bytes from the arguments of UntypedStorage()."""
    if len(items) == 1 and not isinstance(items[0], int):
        return _C.tensor(items[0], dtype=_C.uint8, device=device)
    if len(items) > 1:
        raise TypeError(
            f"[UntypedStorage] expected a size or a sequence, got {len(items)} arguments."
        )
    return _C.empty(items or 0, dtype=_C.uint8, device=device)


def _place(whole):
    return str(whole.device), whole.data_ptr(), whole.numel()


class _Storage:
    """A sequence of the elements of ``tensor``, which is flat and the whole storage."""

    __slots__ = ("__weakref__", "tensor")
    tensor: _C.Tensor

    def data_ptr(self):
        """The address of the first byte."""
        return self.tensor.data_ptr()

    def nbytes(self):
        """The number of bytes."""
        return self.tensor.nbytes

    def size(self):
        """The number of elements."""
        return self.tensor.numel()

    def element_size(self):
        """Bytes of an element."""
        return self.tensor.itemsize

    @property
    def device(self):
        """Where it is."""
        return self.tensor.device

    @property
    def is_cuda(self):
        """Is it on a CUDA device?"""
        return self.tensor.is_cuda

    def get_device(self):
        """The number of its CUDA device, -1 for the CPU."""
        return self.tensor.get_device()

    def is_shared(self):
        """Can other processes see it?"""
        return self.tensor.is_shared()

    def tolist(self):
        """The elements as a list of Python numbers."""
        return self.tensor.tolist()

    def __len__(self):
        return self.tensor.numel()

    def __iter__(self):
        return iter(self.tolist())

    def __getitem__(self, place):
        if isinstance(place, slice):
            return self._on(self.tensor[place])
        return self.tensor[place].item()

    def __setitem__(self, place, value):
        self.tensor[place] = value

    def fill_(self, value):
        """Set every element to one value; returns the storage."""
        self.tensor.fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Take the elements of another storage of as many; returns the storage."""
        if len(source) != len(self):
            raise RuntimeError(f"[copy_] expected {len(self)} elements, got {len(source)}.")
        self.tensor.copy_(source.tensor)
        return self

    def clone(self):
        """A copy."""
        return self._on(self.tensor.clone())

    def cpu(self):
        """On the CPU; itself where it is there."""
        return self if self.tensor.is_cpu else self._on(self.tensor.cpu())

    def cuda(self, device=None, non_blocking=False):
        """On a CUDA device; itself where it is there."""
        moved = self.tensor.cuda(device)
        return self if moved is self.tensor else self._on(moved)

    def _on(self, tensor):
        return type(self)._of(tensor)

    @classmethod
    def _of(cls, tensor):
        storage = cls.__new__(cls)
        storage.tensor = tensor
        return storage


class UntypedStorage(_Storage):
    """The bytes that a tensor and its views lie in: UntypedStorage(size), or of a sequence of bytes.

    Of a tensor's storage there is one object as long as it lives; pickle and deepcopy tell shared memory by it.

    Example:
        >>> x = bolide.arange(6.0)
        >>> x[1:].untyped_storage() is x.untyped_storage()
        True

    Reference: torch.UntypedStorage.
    """

    __slots__ = ()

    def __init__(self, *items, device=None):
        self.tensor = _bytes_on(device, items)

    @classmethod
    def of(cls, tensor):
        """The storage of a tensor."""
        whole = _C._storage_bytes(tensor)
        known = _known.get(_place(whole)) if whole.numel() else None
        return known or cls._of(whole)

    @classmethod
    def _of(cls, tensor):
        storage = super()._of(tensor)
        _known[_place(tensor)] = storage
        return storage

    def untyped(self):
        """Itself."""
        return self

    def __repr__(self):
        lines = "".join(f" {byte}\n" for byte in self.tolist())
        return f"{lines}[bolide.storage.UntypedStorage(device={self.device}) of size {len(self)}]"

    def __reduce__(self):
        return load_storage, (_C._to_bytes(self.tensor), str(self.tensor.device))

    def __deepcopy__(self, memo):
        return self.clone()


def load_storage(data, device):
    """Called by pickle: a storage from its bytes."""
    return UntypedStorage._of(_C._from_bytes(data, _C.device(device)))


class TypedStorage(_Storage):
    """A storage as numbers of one dtype: what Tensor.storage() gives, as FloatStorage and its kin.

    Reference: torch.TypedStorage.
    """

    __slots__ = ()
    dtype: _C.dtype

    def __init__(self, *items, device=None):
        if not hasattr(type(self), "dtype"):
            raise TypeError(
                "[TypedStorage] expected one of its kinds, as FloatStorage, got itself."
            )
        data = items[0] if len(items) == 1 and not isinstance(items[0], int) else None
        self.tensor = (
            _C.empty(items or 0, dtype=self.dtype, device=device)
            if data is None
            else _C.tensor(data, dtype=self.dtype, device=device)
        )

    def untyped(self):
        """Its bytes."""
        return UntypedStorage.of(self.tensor)

    def __repr__(self):
        lines = "".join(f" {number}\n" for number in self)
        kind = f"dtype={self.dtype}, device={self.device}"
        return f"{lines}[bolide.storage.TypedStorage({kind}) of size {len(self)}]"


_DTYPES = {
    "BFloat16Storage": _C.bfloat16,
    "BoolStorage": _C.bool,
    "ByteStorage": _C.uint8,
    "CharStorage": _C.int8,
    "ComplexDoubleStorage": _C.complex128,
    "ComplexFloatStorage": _C.complex64,
    "DoubleStorage": _C.float64,
    "FloatStorage": _C.float32,
    "HalfStorage": _C.float16,
    "IntStorage": _C.int32,
    "LongStorage": _C.int64,
    "ShortStorage": _C.int16,
}
_KINDS: dict = {
    dtype: type(name, (TypedStorage,), {"dtype": dtype, "__slots__": (), "__module__": "bolide"})
    for name, dtype in _DTYPES.items()
}
globals().update({kind.__name__: kind for kind in _KINDS.values()})


def is_storage(obj):
    """Is it a storage?

    Reference: torch.is_storage.
    """
    return isinstance(obj, _Storage)


# ---- methods of Tensor ---------------------------------------------------------------------------


def _untyped_storage(tensor):
    return UntypedStorage.of(tensor)


def _storage_type(tensor):
    return _KINDS[tensor.dtype]


def _on_all(storage, dtype):
    """A flat tensor of all whole elements of this dtype in a storage."""
    whole = storage.tensor
    count = whole.nbytes // dtype.itemsize
    return _C._on_storage(_C.Tensor, _C._storage_bytes(whole), dtype, 0, (count,), (1,))


def _typed_storage(tensor):
    return _KINDS[tensor.dtype]._of(_on_all(UntypedStorage.of(tensor), tensor.dtype))


def _shown(tensor, source, offset, size, stride):
    """The tensor that Tensor.set_() with these arguments makes a tensor equal to."""
    if source is None:
        if offset is not None or size is not None or stride is not None:
            raise TypeError("[set_] expected a source beside an offset, size or stride, got none.")
        return tensor.new_empty((0,))
    if not isinstance(source, (_C.Tensor, _Storage)):
        raise TypeError(f"[set_] expected source: Tensor or storage, got {type(source).__name__}.")
    of = source if isinstance(source, _C.Tensor) else source.tensor
    if of.dtype is not tensor.dtype and not isinstance(source, UntypedStorage):
        raise _C.DTypeError(f"[set_] expected a source of {tensor.dtype}, got {of.dtype}.")
    if of.device != tensor.device:
        raise _C.BolideError(f"[set_] expected a source on {tensor.device}, got {of.device}.")
    if offset is None and size is None and stride is None:
        return of if isinstance(source, _C.Tensor) else _on_all(source, tensor.dtype)
    if offset is None or size is None:
        raise TypeError("[set_] expected storage_offset and size together, got one of them.")
    if stride is None:
        stride = _dense(size)
    return _C._on_storage(_C.Tensor, _C._storage_bytes(of), tensor.dtype, offset, size, stride)


def _dense(size):
    """The strides of contiguous elements."""
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))
