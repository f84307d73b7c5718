"""finfo and iinfo: the limits of the dtypes."""

from bolide import _C

__all__ = ["finfo", "iinfo"]

# bits of the exponent and of the fraction
_FLOATS = {_C.float16: (5, 10), _C.bfloat16: (8, 7), _C.float32: (8, 23), _C.float64: (11, 52)}
_PARTS = {_C.complex64: _C.float32, _C.complex128: _C.float64}


class finfo:  # noqa: N801: PyTorch's name
    """The limits of a floating dtype (of the parts of a complex one); the default dtype unless given.

    Attributes: bits, eps, max, min, tiny, smallest_normal, resolution, dtype. Raises TypeError for other dtypes.

    Example:
        >>> bolide.finfo(bolide.float32).eps
        1.1920928955078125e-07

    Reference: torch.finfo.
    """

    def __init__(self, dtype=None):
        dtype = _C.get_default_dtype() if dtype is None else dtype
        if _PARTS.get(dtype, dtype) not in _FLOATS:
            raise TypeError(f"[finfo] expected a floating-point dtype, got {dtype}. Use iinfo.")
        exponent, fraction = _FLOATS[_PARTS.get(dtype, dtype)]
        bias = 2 ** (exponent - 1) - 1
        self.bits = dtype.itemsize * 8
        self.eps = 2.0**-fraction
        self.max = (2.0 - 2.0**-fraction) * 2.0**bias
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - bias)
        self.resolution = 10.0 ** -int(fraction * 0.30103)
        self.dtype = str(_PARTS.get(dtype, dtype)).removeprefix("bolide.")

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype: bits, min, max, dtype. Raises TypeError for other dtypes.

    Example:
        >>> bolide.iinfo(bolide.int8).max
        127

    Reference: torch.iinfo.
    """

    def __init__(self, dtype):
        if dtype not in (_C.uint8, _C.int8, _C.int16, _C.int32, _C.int64):
            raise TypeError(f"[iinfo] expected an integer dtype, got {dtype}.")
        self.bits = dtype.itemsize * 8
        self.min = -(2 ** (self.bits - 1)) if dtype.is_signed else 0
        self.max = 2 ** (self.bits - dtype.is_signed) - 1
        self.dtype = str(dtype).removeprefix("bolide.")

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
