"""NumPy arrays under PyTorch's names: what random programs of views and in-place ops are run against without PyTorch.

Array has the methods that the steps of `VOCABULARY` use, on float64 and bool. NumPy's views share memory as PyTorch's do,
and its in-place ops read before they write; what it does not have (strides of size 1, gradients, errors by type) is not
compared. `VOCABULARY` names the steps of program_steps.py that it knows.
"""

import numpy as np

VOCABULARY = (
    "new basic_index rearranged squeezed expanded selected parts diagonal operator "
    "augmented assigned_plainly overlapping forgotten filled_with_a_number mask_index"
).split()
float64, int64, bool = "float64", "int64", "bool"


def plain(x):
    return x.a if isinstance(x, Array) else x


def repeats(a):
    """Does it show some element more than once?"""
    return a.size and any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True))


def as_strided(a, shape, strides, writeable):
    """NumPy's as_strided(), but for the right to write: a part of a view that must not be written may be."""
    place = a.__array_interface__["data"][0]
    interface = {
        **a.__array_interface__,
        "data": (place, not writeable),
        "shape": shape,
        "strides": strides,
    }
    return np.asarray(Memory(interface, a))


class Memory:
    """What np.asarray() reads an array from."""

    def __init__(self, interface, base):
        self.__array_interface__, self.base = interface, base


def plain_key(key):
    return tuple(plain(k) for k in key) if isinstance(key, tuple) else plain(key)


class Array:
    requires_grad, is_leaf, grad, _version = False, True, None, 0

    def __init__(self, a):
        self.a = np.asarray(a)
        if not self.a.flags.writeable and not repeats(self.a):
            self.a = as_strided(self.a, self.a.shape, self.a.strides, True)

    # ---- what the comparison asks
    shape = property(lambda self: self.a.shape)
    dtype = property(lambda self: self.a.dtype)
    T = property(lambda self: Array(self.a.T))
    mT = property(lambda self: Array(self.a.swapaxes(-1, -2) if self.a.ndim else self.a))  # noqa: N815

    def numpy(self):
        return self.a

    def detach(self):
        return self

    def to(self, *_):
        return self

    def clone(self):
        return Array(self.a.copy())

    def contiguous(self):
        return self

    def dim(self):
        return self.a.ndim

    def numel(self):
        return self.a.size

    def is_floating_point(self):
        return self.a.dtype.kind == "f"

    def element_size(self):
        return self.a.itemsize

    def data_ptr(self):
        return self.a.__array_interface__["data"][0]

    def storage_offset(self):
        root = self.a
        while root.base is not None:
            root = root.base
        return (self.data_ptr() - root.__array_interface__["data"][0]) // self.a.itemsize

    # ---- views
    def __getitem__(self, key):
        key = plain_key(key)
        keys = key if isinstance(key, tuple) else (key,)
        if not any(k is ... or isinstance(k, np.ndarray) for k in keys):
            keys = (*keys, ...)  # else NumPy gives a number in place of a 0-d view
        return Array(self.a[keys])

    def transpose(self, one, two):
        return Array(self.a.swapaxes(one, two) if self.a.ndim else self.zero_dim(one, two))

    swapaxes = swapdims = transpose

    def zero_dim(self, *dims):
        if any(d not in (0, -1) for d in dims):
            raise IndexError(dims)
        return self.a

    def permute(self, *order):
        order = order[0] if len(order) == 1 and not isinstance(order[0], int) else order
        return Array(self.a.transpose(order))

    def movedim(self, one, two):
        return Array(np.moveaxis(self.a, one, two) if self.a.ndim else self.zero_dim(one, two))

    def t(self):
        if self.a.ndim > 2:
            raise ValueError
        return self.T

    def unsqueeze(self, dim):
        return Array(np.expand_dims(self.a, dim))

    def squeeze(self, dims=None):
        if dims is None:
            return Array(self.a.squeeze())
        dims = (dims,) if isinstance(dims, int) else dims
        if not self.a.ndim:
            return Array(self.zero_dim(*dims))
        self.a.sum(dims)  # raises for what is no dimension
        return Array(self.a.squeeze(tuple(d for d in dims if self.a.shape[d] == 1)))

    def expand(self, sizes):
        own = (0,) * (len(sizes) - self.a.ndim) + self.a.shape
        if len(own) > len(sizes) or any(n == -1 for n in sizes[: len(sizes) - self.a.ndim]):
            raise ValueError
        sizes = tuple(m if n == -1 else n for n, m in zip(sizes, own, strict=True))
        view = np.broadcast_to(self.a, sizes)
        return Array(as_strided(self.a, view.shape, view.strides, False))

    def expand_as(self, other):
        return self.expand(other.shape)

    def select(self, dim, index):
        return self.narrow(dim, index, 1).squeeze(dim)

    def narrow(self, dim, start, length):
        n = self.a.swapaxes(dim, 0).shape[0]
        start += n if start < 0 else 0
        if not 0 <= start <= start + length <= n:
            raise IndexError
        return Array(self.a.swapaxes(dim, 0)[start : start + length].swapaxes(dim, 0))

    def split(self, size, dim=0):
        n = self.a.swapaxes(dim, 0).shape[0]
        if isinstance(size, list):
            if sum(size) != n:
                raise ValueError
            ends = np.cumsum(size)
            return [self.narrow(dim, int(e) - k, k) for e, k in zip(ends, size, strict=True)]
        if size <= 0 < n or size < 0:
            raise ValueError
        return [self.narrow(dim, i, min(size, n - i)) for i in range(0, max(n, 1), max(size, 1))]

    def chunk(self, count, dim=0):
        return self.split(max(-(-self.a.swapaxes(dim, 0).shape[0] // count), 1), dim)

    def unbind(self, dim=0):
        return [self.select(dim, i) for i in range(self.a.swapaxes(dim, 0).shape[0])]

    def diagonal(self, offset, one, two):
        view = self.a.diagonal(offset, one, two)
        view.flags.writeable = self.a.flags.writeable
        return Array(view)

    # ---- arithmetic, in place and not
    def flip(self, dim):
        return Array(np.flip(self.a, dim).copy())

    def __setitem__(self, key, value):
        if not isinstance(value, Array) or value.a is not self.a[plain_key(key)]:
            self.a[plain_key(key)] = plain(value)

    def fill_(self, value):
        self.a[...] = value

    def copy_(self, other):
        self.a[...] = plain(other)


def add_operators():
    for name, function in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply)):

        def forward(self, other, function=function):
            return Array(function(self.a, plain(other)))

        def backward(self, other, function=function):
            return Array(function(plain(other), self.a))

        def in_place(self, other, function=function):
            with np.errstate(all="ignore"):
                function(self.a, plain(other), out=self.a)
            return self

        setattr(Array, f"__{name}__", forward)
        setattr(Array, f"__r{name}__", backward)
        setattr(Array, f"__i{name}__", in_place)
        setattr(Array, f"{name}_", in_place)


add_operators()


# ---- the module ------------------------------------------------------------------------------------


def from_numpy(a):
    return Array(a)


def tensor(places, dtype=None, device=None):
    return Array(np.array(places, dtype))


def moveaxis(x, one, two):
    return Array(np.moveaxis(x.a, one, two) if x.a.ndim else x.zero_dim(*one, *two))


def unsqueeze(x, dim):
    return x.unsqueeze(dim)


def broadcast_to(x, sizes):
    return x.expand(sizes)


def split(x, size):
    return x.split(size)
