"""Small parts of Module: the kinds of members, views of one kind, hook handles, lists of keys."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PARAMETER, BUFFER, MODULE = "parameter", "buffer", "module"


class IncompatibleKeys(tuple):
    """What load_state_dict(strict=False) did not use: (missing_keys, unexpected_keys)."""

    __slots__ = ()
    missing_keys = property(lambda self: self[0])
    unexpected_keys = property(lambda self: self[1])

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"


class RemovableHandle:
    """What register_forward_hook returns; ``remove()`` takes the hook away, so does leaving
    ``with``.
    """

    def __init__(self, hooks: dict) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        self._hooks.pop(self, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class RegisteredView:
    """A dictionary-like view of one kind of a module's members; it owns nothing, so it makes no
    cycle.
    """

    def __init__(self, module: Any, kind: str) -> None:
        self._module, self._kind = module, kind

    def __iter__(self) -> Iterator[str]:
        kinds = self._module.__dict__["_kinds"]
        return iter([name for name, kind in kinds.items() if kind == self._kind])

    def __len__(self) -> int:
        return sum(kind == self._kind for kind in self._module.__dict__["_kinds"].values())

    def __contains__(self, name: object) -> bool:
        return self._module.__dict__["_kinds"].get(name) == self._kind

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self._module.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._module.__dict__["_kinds"][name] = self._kind
        self._module.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        del self._module.__dict__["_kinds"][name], self._module.__dict__[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def keys(self) -> list[str]:
        return list(self)

    def values(self) -> list[Any]:
        return [self[name] for name in self]

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self]
