"""set_printoptions: how tensors are written."""

from bolide import _C

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": 2**62, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Choose how repr() writes tensors.

    Args:
        precision: digits after the point.
        threshold: from how many elements on the middle is left out.
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
    chosen = dict(_PROFILES[profile]) if profile else {}
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen.update({name: value for name, value in given.items() if value is not None})
    _C._set_printoptions(
        chosen.get("precision"),
        chosen.get("threshold"),
        chosen.get("edgeitems"),
        chosen.get("linewidth"),
        sci_mode,
    )
