"""Pieces of bolide inside programs of other libraries: ``bolide.interop.torch`` and ``bolide.interop.jax``.

Each imports its library when it is imported itself. Nothing is copied on the way: memory is shared through DLPack.
"""
