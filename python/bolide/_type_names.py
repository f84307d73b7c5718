"""PyTorch's older names of tensors of one dtype: FloatTensor, LongTensor and so on."""

from bolide import _C


class _TensorType(type):
    """FloatTensor(data) makes such a tensor, FloatTensor(2, 3) one of that shape; isinstance() asks for the dtype."""

    dtype: _C.dtype

    def __call__(cls, *args):
        sizes = args and all(isinstance(size, int) for size in args)
        if not args or sizes:
            return _C.empty(args or 0, dtype=cls.dtype)
        return _C.tensor(*args, dtype=cls.dtype)

    def __instancecheck__(cls, value):
        return isinstance(value, _C.Tensor) and value.dtype is cls.dtype and value.is_cpu


_DTYPES = {
    "BFloat16Tensor": _C.bfloat16,
    "BoolTensor": _C.bool,
    "ByteTensor": _C.uint8,
    "CharTensor": _C.int8,
    "DoubleTensor": _C.float64,
    "FloatTensor": _C.float32,
    "HalfTensor": _C.float16,
    "IntTensor": _C.int32,
    "LongTensor": _C.int64,
    "ShortTensor": _C.int16,
}

globals().update(
    {
        name: _TensorType(name, (), {"dtype": dtype, "__module__": "bolide"})
        for name, dtype in _DTYPES.items()
    }
)


def typename(obj):
    """The name of a tensor's type, or of another object's class.

    Example:
        >>> bolide.typename(bolide.ones(2))
        'bolide.FloatTensor'

    Reference: torch.typename.
    """
    if isinstance(obj, _C.Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"
