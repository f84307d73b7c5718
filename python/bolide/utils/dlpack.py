"""from_dlpack and to_dlpack where PyTorch has them too."""

from bolide._C import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
