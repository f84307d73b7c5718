"""Structures of tuples, lists and dictionaries with tensors in them, and namespaces whose functions are wrapped."""

import inspect


class Place:
    """Where the tensor of that number stands in a structure."""

    def __init__(self, number):
        self.number = number


def map_tree(kind, convert, tree):
    """The same structure with each ``kind`` in it converted."""
    exact = type(tree)
    if exact is tuple:
        return tuple([map_tree(kind, convert, value) for value in tree])
    if isinstance(tree, kind):
        return convert(tree)
    if isinstance(tree, dict):
        return {key: map_tree(kind, convert, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        values = [map_tree(kind, convert, value) for value in tree]
        return exact(*values) if hasattr(tree, "_fields") else exact(values)
    return tree


def take(kind, tree):
    """(each ``kind`` in the structure, the structure with a Place for each)"""
    found = []

    def number(tensor):
        found.append(tensor)
        return Place(len(found) - 1)

    return found, map_tree(kind, number, tree)


class Names:
    """A namespace of bolide, each of whose values is wrapped when it is first asked for."""

    def __init__(self, home, wrap):
        self._home, self._wrap = home, wrap

    def __getattr__(self, name):
        value = getattr(self._home, name)
        value = Names(value, self._wrap) if inspect.ismodule(value) else self._wrap(value)
        setattr(self, name, value)
        return value

    def __dir__(self):
        return dir(self._home)


def call_like(wrapped, f, kind):
    """``wrapped`` with the name and the docstring of ``f``."""
    wrapped.__name__ = wrapped.__qualname__ = getattr(f, "__name__", type(f).__name__)
    wrapped.__doc__ = f"bolide's {wrapped.__name__} on {kind}.\n\n{f.__doc__ or ''}"
    wrapped.__wrapped__ = f
    return wrapped
