"""Signal processing under the names of torch.signal: windows."""

from bolide.signal import windows

__all__ = ["windows"]
