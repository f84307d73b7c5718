"""The libraries that compare.py knows, as their child processes see them.

Any other name is imported as a module with PyTorch's names; so a new peer that has them needs
nothing here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from typing import Any

import numpy as np

MODULES = {"jax": "jax.numpy", "mlx": "mlx.core"}


class Library:
    """A library under test: its module, and how arrays go in and out.

    precise: floating-point numbers are float64 (complex ones complex128), for what float32 results are compared with.
    device: where tensors are made, with PyTorch's names; the other libraries choose their own.
    """

    def __init__(self, name: str, threads: int, precise: bool = False, device: str = "cpu"):
        self.name, self.precise, self.device = name, precise, device
        self.module: Any = importlib.import_module(MODULES.get(name, name))
        self.follows_pytorch = name not in ("numpy", *MODULES)
        if hasattr(self.module, "set_num_threads"):
            self.module.set_num_threads(threads)
        if precise and hasattr(self.module, "set_default_dtype"):
            self.module.set_default_dtype(self.module.float64)

    @property
    def functional(self) -> Any:
        return importlib.import_module(f"{self.name}.nn.functional")

    def tensor(self, array: np.ndarray) -> Any:
        """A tensor of this library with the values of `array`."""
        if self.precise and array.dtype.kind in "fc":
            array = array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
        if self.name == "numpy":
            return array
        if self.name in MODULES:
            return self.module.asarray(array) if self.name == "jax" else self.module.array(array)
        tensor = self.module.from_numpy(array)
        return tensor if self.device == "cpu" else tensor.to(self.device)

    def array(self, tensor: Any) -> np.ndarray:
        """The values of a result; of several tensors, stacked."""
        if isinstance(tensor, (tuple, list)):
            return np.stack([self.array(part) for part in tensor])
        if hasattr(tensor, "detach"):
            if "bfloat16" in str(tensor.dtype):  # NumPy has none
                tensor = tensor.float()
            tensor = tensor.detach().cpu().numpy()
        return np.asarray(tensor)

    def wait(self) -> None:
        """Until the device has done what it was asked to."""
        if self.device != "cpu" and self.follows_pytorch:
            self.module.cuda.synchronize()

    def describe(self) -> dict[str, str]:
        """Version, threads asked for and instructions used, as the library itself says."""
        try:
            facts = {"version": importlib.metadata.version(self.name)}
        except importlib.metadata.PackageNotFoundError:  # of a build tree, say
            facts = {"version": str(getattr(self.module, "__version__", "unknown"))}
        if hasattr(self.module, "get_num_threads"):
            facts["threads asked"] = str(self.module.get_num_threads())
        if self.name == "torch":
            facts["isa"] = self.module.backends.cpu.get_cpu_capability().lower()
        elif self.name == "bolide":
            facts["isa"] = importlib.import_module("bolide._C")._cpu_isa()
        if self.device != "cpu" and self.follows_pytorch:
            facts["device"] = self.module.cuda.get_device_name()
        return facts


def child_environment(threads: int) -> dict[str, str]:
    """The environment of a child: as many threads for everyone, OpenBLAS free to choose its kernels."""
    environment = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = str(threads)
    return environment
