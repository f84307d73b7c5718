"""bolide: tensors, automatic differentiation and training, with PyTorch's names and semantics.

    >>> import bolide
    >>> x = bolide.ones(2, 3, requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([[2., 2., 2.],
            [2., 2., 2.]])

The tensor, its functions and the engine are compiled (bolide._C); what stands beside this file is Python. It is
imported when it is first asked for, so that ``import bolide`` costs little. A new subpackage is one entry of
``_LAZY``.
"""

from bolide import _C
from bolide._C import *  # noqa: F403
from bolide.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__version__ = _C.__version__

newaxis = None

# name: where it is defined; None: a subpackage or module of that name
_LAZY = {
    **dict.fromkeys(
        (
            *("BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor"),
            *("FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor"),
            *("is_storage", "typename"),
        ),
        "bolide._type_names",
    ),
    "array_api": None,
    "autograd": None,
    "chain_matmul": "bolide._products",
    "cuda": None,
    "datasets": None,
    "einsum": "bolide._products",
    "fft": None,
    "finfo": "bolide._dtype_info",
    "iinfo": "bolide._dtype_info",
    "get_printoptions": "bolide._printing",
    "io": None,
    "is_anomaly_enabled": "bolide.autograd.anomaly_mode",
    "interop": None,
    "linalg": None,
    "multiprocessing": None,
    "nn": None,
    "optim": None,
    "printoptions": "bolide._printing",
    "random": None,
    "set_printoptions": "bolide._printing",
    "special": None,
    "tensordot": "bolide._products",
    "utils": None,
    "vander": "bolide._products",
    "visualization": None,
}


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module 'bolide' has no attribute '{name}'")
    from importlib import import_module

    home = _LAZY[name]
    value = import_module(f"bolide.{name}") if home is None else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LAZY})
