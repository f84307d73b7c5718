"""set_printoptions and its kin: how tensors are written."""

import math
from contextlib import contextmanager
from typing import Any

from bolide import _C

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Choose how repr() writes tensors.

    Args:
        precision: digits after the point.
        threshold: from how many elements on the middle is left out; inf never does.
        edgeitems: how many are shown at each end then.
        linewidth: characters per line.
        profile: "default", "short" or "full"; the other arguments come on top.
        sci_mode: always (True) or never (False) in scientific notation; None decides by the numbers.

    Raises ValueError for an unknown profile or a number out of range.

    Example:
        >>> bolide.set_printoptions(precision=8)

    Reference: torch.set_printoptions.
    """
    if profile is not None and profile not in _PROFILES:
        raise ValueError(
            f"[set_printoptions] expected a profile of {', '.join(_PROFILES)}, got {profile!r}."
        )
    chosen = {**_options, **(_PROFILES[profile] if profile else {}), "sci_mode": sci_mode}
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen.update({name: value for name, value in given.items() if value is not None})
    compiled = {**chosen, "threshold": min(chosen["threshold"], 2**62)}
    _C._set_printoptions(**compiled)
    _options.update(chosen)


def get_printoptions():
    """The options now, as a dictionary of set_printoptions()'s arguments.

    Example:
        >>> bolide.get_printoptions()["precision"]
        4

    Reference: torch.get_printoptions.
    """
    return dict(_options)


@contextmanager
def printoptions(**options):
    """set_printoptions() for the time of a block.

    Example:
        >>> with bolide.printoptions(precision=1):
        ...     print(bolide.ones(2) / 3)

    Reference: torch.printoptions.
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)
