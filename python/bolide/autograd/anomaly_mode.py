"""Anomaly mode: says which line of the forward made the node whose backward failed or gave NaN. Slow while it is on."""

import warnings

from bolide import _C

__all__ = ["detect_anomaly", "is_anomaly_enabled", "set_detect_anomaly"]


class set_detect_anomaly:  # noqa: N801: PyTorch's name
    """Turn anomaly mode on or off, for all threads: from now on, or as a context manager.

    Args:
        mode: on or off.
        check_nan: raise when a gradient has a NaN.

    Example:
        >>> with bolide.autograd.set_detect_anomaly(True):
        ...     loss.backward()

    Reference: torch.autograd.set_detect_anomaly.
    """

    def __init__(self, mode, check_nan=True):
        self._before = _C._anomaly_mode()
        _C._set_anomaly_mode(bool(mode), bool(check_nan))

    def __enter__(self):
        return None

    def __exit__(self, *error):
        _C._set_anomaly_mode(*self._before)


class detect_anomaly:  # noqa: N801: PyTorch's name
    """Context manager: nodes note the line that made them, which a warning shows when their backward goes wrong.

    Args:
        check_nan: raise when a gradient has a NaN.

    Raises (inside it, from backward):
        BolideError: a gradient that is NaN.

    Example:
        >>> with bolide.autograd.detect_anomaly():
        ...     loss = model(x)
        ...     loss.backward()

    Reference: torch.autograd.detect_anomaly.
    """

    def __init__(self, check_nan=True):
        self.check_nan = bool(check_nan)
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled "
            "for debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self._before = _C._anomaly_mode()
        _C._set_anomaly_mode(True, self.check_nan)

    def __exit__(self, *error):
        _C._set_anomaly_mode(*self._before)


def is_anomaly_enabled():
    """Is anomaly mode on? Reference: torch.is_anomaly_enabled."""
    return _C._anomaly_mode()[0]
