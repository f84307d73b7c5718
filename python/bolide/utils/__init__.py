"""Helpers around training: ``data`` reads data sets in batches, ``checkpoint`` trades time for memory, ``dlpack`` is PyTorch's place for that."""

from bolide.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
