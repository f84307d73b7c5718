"""Helpers around training: ``data`` reads data sets in batches, ``checkpoint`` trades time for memory."""

from bolide.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
