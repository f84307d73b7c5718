"""Helpers around training; ``bolide.utils.data`` reads data sets in batches."""

from bolide.utils import data

__all__ = ["data"]
