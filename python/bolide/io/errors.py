"""The error of all readers of ``bolide.io``."""

from bolide._C import BolideError


class FileFormatError(BolideError, ValueError):
    """A file is truncated, changed or not of the format it should be; the text names it and both
    values.
    """
