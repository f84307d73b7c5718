"""CUDA devices: which there are, their memory, streams and events, with PyTorch's names.

Every function takes a device as an int, a string or a bolide.device; None means the current one.
"""

from bolide import _C

__all__ = [
    "Event",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "get_rng_state",
    "is_available",
    "is_bf16_supported",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "set_device",
    "set_per_process_memory_fraction",
    "set_stream",
    "stream",
    "synchronize",
]

Stream = _C._Stream
Event = _C._Event


def is_available():
    """Is there a CUDA device that works? Never raises."""
    return _C._cuda_is_available()


def device_count():
    """How many CUDA devices there are."""
    return _C._cuda_device_count()


def is_bf16_supported():
    """Does bfloat16 work on the devices? It does on all that bolide supports."""
    return is_available()


def get_device_name(device=None):
    """What the device calls itself. Raises BolideError without one."""
    return _C._cuda_device_name(device)


def current_device():
    """The number of the device that "cuda" means in this thread."""
    return _C._cuda_current_device()


def set_device(device):
    """Choose what "cuda" means in this thread."""
    _C._cuda_set_device(device)


class device:  # noqa: N801: PyTorch's name
    """``with bolide.cuda.device(1):`` chooses a device for a while."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        self._before = current_device()
        set_device(self.device)
        return self

    def __exit__(self, *error):
        set_device(self._before)


def synchronize(device=None):
    """Wait until the work of the current and the default stream is done."""
    _C._cuda_synchronize(device)


# ---- memory -----------------------------------------------------------------------------------------------------


def memory_stats(device=None):
    """The figures of the memory pool: allocated, peak, reserved, largest_free (bytes), live_blocks, allocations."""
    return _C._memory_stats(device)


def memory_allocated(device=None):
    """Bytes in live tensors."""
    return _C._memory_stats(device)["allocated"]


def max_memory_allocated(device=None):
    """The most that memory_allocated() has been since reset_peak_memory_stats()."""
    return _C._memory_stats(device)["peak"]


def memory_reserved(device=None):
    """Bytes that the pool has taken from the device."""
    return _C._memory_stats(device)["reserved"]


max_memory_reserved = memory_reserved


def reset_peak_memory_stats(device=None):
    """Count the peak from now on."""
    _C._reset_peak_memory(device)


def empty_cache():
    """Give what the pools of all devices do not use back to them."""
    for index in range(device_count()):
        _C._empty_cache(index)


def mem_get_info(device=None):
    """(free, total) bytes of the device."""
    return _C._cuda_memory_info(device)


def set_per_process_memory_fraction(fraction, device=None):
    """Take at most this part of the device's memory. Raises ValueError outside [0, 1]."""
    if not 0 <= fraction <= 1:
        raise ValueError(
            f"[set_per_process_memory_fraction] expected a fraction in [0, 1], got {fraction}."
        )
    _C._set_memory_limit(device, int(mem_get_info(device)[1] * fraction))


# ---- streams ----------------------------------------------------------------------------------------------------


def current_stream(device=None):
    """The stream that work of this thread goes to."""
    return _C._current_stream(device)


def default_stream(device=None):
    """The stream that work goes to unless another is chosen."""
    return _C._default_stream(device)


def set_stream(stream):
    """Choose the stream for work of this thread."""
    _C._set_stream(stream)


class stream:
    """``with bolide.cuda.stream(s):`` chooses a stream for a while; None changes nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            self._before = current_stream(self.stream.device)
            set_stream(self.stream)
        return self

    def __exit__(self, *error):
        if self.stream is not None:
            set_stream(self._before)


# ---- random numbers: one generator for all devices --------------------------------------------------------------


def manual_seed(seed):
    """Start the random numbers again; bolide has one generator for all devices."""
    _C.manual_seed(seed)


manual_seed_all = manual_seed
get_rng_state = _C.get_rng_state
