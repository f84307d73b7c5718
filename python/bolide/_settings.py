"""Switches that PyTorch programs set, and bolide's answers: what it does anyway, or cannot do and says so.

To add one: a function here, its name in ``bolide._LAZY``.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Any

from bolide import _C
from bolide._C import Tensor

_state: dict[str, Any] = {"deterministic": 0, "precision": "highest"}
_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")

# ---- determinism: bolide's kernels give the same numbers on every run, whatever this says ---------


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered; bolide's kernels are deterministic anyway. Reference: torch.use_deterministic_algorithms."""
    _state["deterministic"] = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms() said. Reference: torch.are_deterministic_algorithms_enabled."""
    return bool(_state["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What use_deterministic_algorithms() said of warn_only."""
    return bool(_state["deterministic"] == 1)


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """0 or "default", 1 or "warn", 2 or "error". Reference: torch.set_deterministic_debug_mode."""
    mode = debug_mode
    if isinstance(mode, str) and mode in _MODES:
        mode = _MODES.index(mode)
    if mode not in (0, 1, 2):
        raise _C.BolideError(
            f"[set_deterministic_debug_mode] expected 0, 1, 2 or one of {', '.join(_MODES)}, got {debug_mode!r}."
        )
    _state["deterministic"] = mode


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as set_deterministic_debug_mode() has them."""
    return int(_state["deterministic"])


# ---- precision, autocast -------------------------------------------------------------------------


def set_float32_matmul_precision(precision: str) -> None:
    """Remembered; products of float32 are computed in float32 anyway.

    Raises RuntimeError unless it is "highest", "high" or "medium". Reference: torch.set_float32_matmul_precision.
    """
    if precision not in _PRECISIONS:
        raise _C.BolideError(
            f"[set_float32_matmul_precision] expected one of {', '.join(_PRECISIONS)}, got {precision!r}."
        )
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision() said; "highest" before."""
    return str(_state["precision"])


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """False: there is no autocast yet. Reference: torch.is_autocast_enabled."""
    return False


# ---- devices -------------------------------------------------------------------------------------


def get_default_device() -> Any:
    """Where tensors are made when no device is named: the CPU. Reference: torch.get_default_device."""
    return _C.device("cpu")


def set_default_device(device: Any) -> None:
    """Takes the CPU (or None); raises NotImplementedError for another. Reference: torch.set_default_device."""
    if device is not None and _C.device(device).type != "cpu":
        raise NotImplementedError(
            f"[set_default_device] expected the CPU, got {device}. Name the device where a tensor is made."
        )


# ---- tensors that are made in a special way ------------------------------------------------------


def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: Any) -> Tensor:
    """Not set, with its dimensions in memory in the order of physical_layout, the first outermost.

    Raises BolideError unless that is an order of all dimensions. Reference: torch.empty_permuted.
    """
    order = list(physical_layout)
    if sorted(order) != list(range(len(size))):
        raise _C.BolideError(
            f"[empty_permuted] expected an order of {len(size)} dimensions, got {tuple(order)}."
        )
    wanted = options.pop("requires_grad", False)
    dense = _C.empty([size[d] for d in order], **options)
    if order:
        dense = dense.permute([order.index(d) for d in range(len(order))]).detach()
    return dense.requires_grad_(wanted)


def from_file(
    filename: str | os.PathLike[str],
    shared: bool | None = None,
    size: int | None = 0,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`size` elements that lie in a file, mapped into memory; shared: what is written goes to the file.

    A file that is too short grows where it is shared, and raises BolideError otherwise. Reference: torch.from_file.
    """
    dtype = _C.get_default_dtype() if dtype is None else dtype
    count = size or 0
    needed = count * _C.empty(0, dtype=dtype).element_size()
    if not count:
        return _C.empty(0, dtype=dtype)
    descriptor = os.open(filename, (os.O_RDWR | os.O_CREAT) if shared else os.O_RDONLY, 0o666)
    try:
        have = os.fstat(descriptor).st_size
        if have < needed:
            if not shared:
                raise _C.BolideError(
                    f"[from_file] expected a file of at least {needed} bytes, got {have}."
                )
            os.ftruncate(descriptor, needed)
        access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
        memory = mmap.mmap(descriptor, needed, access=access)
    finally:
        os.close(descriptor)
    return _C.frombuffer(memory, dtype=dtype).requires_grad_(requires_grad)
