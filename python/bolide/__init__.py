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
            "typename",
        ),
        "bolide._type_names",
    ),
    **dict.fromkeys(
        (
            *("broadcast_shapes", "cumulative_trapezoid", "gradient", "histogramdd"),
            *("trapezoid", "trapz", "unravel_index"),
        ),
        "bolide._calculus",
    ),
    **dict.fromkeys(("lobpcg", "pca_lowrank", "svd_lowrank"), "bolide._lowrank"),
    **dict.fromkeys(("istft", "stft"), "bolide._spectrogram"),
    **dict.fromkeys(
        (
            *("binomial", "celu_", "get_device", "rrelu", "rrelu_", "segment_reduce", "selu_"),
            *("set_flush_denormal", "threshold_"),
        ),
        "bolide._seldom",
    ),
    **dict.fromkeys(
        (
            *("are_deterministic_algorithms_enabled", "empty_permuted", "from_file"),
            *("get_default_device", "get_deterministic_debug_mode", "get_float32_matmul_precision"),
            *("is_autocast_enabled", "is_deterministic_algorithms_warn_only_enabled"),
            *("set_default_device", "set_deterministic_debug_mode", "set_float32_matmul_precision"),
            "use_deterministic_algorithms",
        ),
        "bolide._settings",
    ),
    **dict.fromkeys(
        ("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"),
        "bolide.signal.windows",
    ),
    **dict.fromkeys(
        (
            *("BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage"),
            *("ComplexDoubleStorage", "ComplexFloatStorage", "DoubleStorage", "FloatStorage"),
            *("HalfStorage", "IntStorage", "LongStorage", "ShortStorage"),
            *("TypedStorage", "UntypedStorage", "is_storage"),
        ),
        "bolide.storage",
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
    "overrides": None,
    "printoptions": "bolide._printing",
    "random": None,
    "set_printoptions": "bolide._printing",
    "signal": None,
    "special": None,
    "storage": None,
    "tensordot": "bolide._products",
    "testing": None,
    "utils": None,
    "vander": "bolide._products",
    "visualization": None,
}


def __getattr__(name):
    home = "bolide._foreach" if name.startswith("_foreach_") else _LAZY.get(name, "")
    if home == "":
        raise AttributeError(f"module 'bolide' has no attribute '{name}'")
    from importlib import import_module

    value = import_module(f"bolide.{name}") if home is None else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LAZY})
