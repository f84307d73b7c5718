"""Tensors in memory that processes share; otherwise the standard library's multiprocessing.

    >>> x = bolide.zeros(1000).share_memory_()
    >>> worker = bolide.multiprocessing.Process(target=work, args=(x,))  # what it writes to x, all see

A tensor whose memory is shared goes through queues and pipes, and to processes that are spawned, as a file
descriptor of that memory: nothing is copied. Any other tensor goes as a copy. (PyTorch moves it to shared memory
behind the sender's back; here share_memory_() says so.) The sender must live until the tensor is received. The
memory is an anonymous file of Linux, which goes when the last process lets go of it, however that ends.

Reference: torch.multiprocessing.
"""

import mmap
import os
from multiprocessing import *  # noqa: F403
from multiprocessing.reduction import DupFd, ForkingPickler

from bolide import _C
from bolide.storage import UntypedStorage

__all__ = ["is_shared", "share_memory"]


class _Memory(mmap.mmap):
    """Memory of an anonymous file, and a descriptor of it to hand on."""

    fd: int
    length: int

    def __new__(cls, fd, size):
        memory = super().__new__(cls, fd, max(size, 1))
        memory.fd, memory.length = fd, size
        return memory

    def __del__(self, close=os.close):
        close(self.fd)

    @classmethod
    def make(cls, size):
        fd = os.memfd_create("bolide")
        try:
            os.ftruncate(fd, max(size, 1))
            return cls(fd, size)
        except BaseException:
            os.close(fd)
            raise

    def storage(self):
        """uint8, all of it."""
        return _C.frombuffer(self, dtype=_C.uint8)[: self.length]


def _memory_of(tensor):
    """The shared memory that a tensor lies in, or None."""
    owner = _C._storage_owner(tensor)
    owner = owner.obj if isinstance(owner, memoryview) else None
    return owner if isinstance(owner, _Memory) else None


def is_shared(tensor):
    """Can other processes see the memory? What Tensor.is_shared() calls; True on CUDA, as in PyTorch."""
    return tensor.is_cuda or _memory_of(tensor) is not None


def share_memory(tensor):
    """Move the memory to where other processes can see it: what Tensor.share_memory_() calls.

    The tensor stays the same object, its values are copied once. One that is shared, or on CUDA, is left alone.

    Raises:
        BolideError: views, arrays, capsules or results that a graph saved use the memory too. They hold its address, and none of them
            would follow; freeing it under them, as PyTorch does, ends in a crash where a NumPy array is among them.
    """
    if is_shared(tensor):
        return tensor
    if not _C._has_storage_alone(tensor):
        raise _C.BolideError(
            "[share_memory_] expected a tensor that alone uses its memory, got one with views, arrays or a graph on it; "
            "share it before these are made, or clone() it."
        )
    whole = _Memory.make(_C._storage_bytes(tensor).numel()).storage()
    whole.copy_(_C._storage_bytes(tensor))
    _C._move_memory(tensor, whole)
    return tensor


def _reduce_storage(storage):
    memory = _memory_of(storage.tensor)
    if memory is None:
        return storage.__reduce__()
    return _rebuild_storage, (DupFd(memory.fd), memory.length)


def _rebuild_storage(descriptor, size):
    return UntypedStorage._of(_Memory(descriptor.detach(), size).storage())


ForkingPickler.register(UntypedStorage, _reduce_storage)
