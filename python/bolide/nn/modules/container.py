"""Modules that hold modules or parameters: Sequential, ModuleList, ModuleDict, ParameterList."""

from __future__ import annotations

from bolide._C import Tensor
from bolide.nn.modules.module import Module
from bolide.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


class _Indexed(Module):
    """What the numbered containers share: members of one kind, named "0", "1", ... in order."""

    _member_kind = "module"

    def _position(self, index: int) -> int:
        position = index.__index__()
        count = len(self)
        if not -count <= position < count:
            raise IndexError(
                f"index {position} is out of range for {type(self).__name__} of length {count}"
            )
        return position % count

    def _names(self) -> list[str]:
        return [name for name, kind in self.__dict__["_kinds"].items() if kind == self._member_kind]

    def _all(self) -> list:
        return [self.__dict__[name] for name in self._names()]

    def _replace_all(self, members: Iterable) -> None:
        for name in self._names():
            delattr(self, name)
        for number, member in enumerate(members):
            setattr(self, str(number), member)

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator:
        return iter(self._all())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self._all()[index])  # type: ignore[call-arg]
        return self._all()[self._position(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._names()[self._position(index)], value)

    def __delitem__(self, index: int | slice) -> None:
        members = self._all()
        del members[index if isinstance(index, slice) else self._position(index)]
        self._replace_all(members)

    def append(self, value: Any) -> Any:
        """Add one at the end."""
        setattr(self, str(len(self)), value)
        return self

    def extend(self, values: Iterable) -> Any:
        """Add several at the end."""
        for value in list(values):
            self.append(value)
        return self

    def insert(self, index: int, value: Any) -> None:
        """Put one before position ``index``."""
        members = self._all()
        members.insert(index, value)
        self._replace_all(members)


class Sequential(_Indexed):
    """Modules called one after the other; given as arguments, or as one dictionary of names.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> model(bolide.zeros(3, 4)).shape
        bolide.Size([3, 2])

    Reference: torch.nn.Sequential.
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        named: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = modules[0].items()
        else:
            named = ((str(number), module) for number, module in enumerate(modules))
        for name, module in named:
            self.add_module(name, module)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            names = self._names()[index]
            return type(self)({name: self.__dict__[name] for name in names})
        return super().__getitem__(index)

    def forward(self, input: Any) -> Any:
        attributes = self.__dict__
        for name, kind in attributes["_kinds"].items():
            if kind == "module":
                input = attributes[name](input)
        return input


class ModuleList(_Indexed):
    """A list of modules whose parameters are found.

    Example:
        >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        >>> len(list(layers.parameters()))
        6

    Reference: torch.nn.ModuleList.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def append(self, value: Module) -> ModuleList:
        """Add one at the end."""
        self.add_module(str(len(self)), value)
        return self


class ParameterList(_Indexed):
    """A list of parameters that are found; plain tensors become parameters.

    Reference: torch.nn.ParameterList.
    """

    _member_kind = "parameter"

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def _as_parameter(self, value: Tensor) -> Parameter:
        return value if isinstance(value, Parameter) else Parameter(value)

    def __setitem__(self, index: int, value: Tensor) -> None:
        super().__setitem__(index, self._as_parameter(value))

    def append(self, value: Tensor) -> ParameterList:
        """Add one at the end."""
        self.register_parameter(str(len(self)), self._as_parameter(value))
        return self

    def insert(self, index: int, value: Tensor) -> None:
        """Put one before position ``index``."""
        super().insert(index, self._as_parameter(value))

    def extra_repr(self) -> str:
        return "\n".join(
            f"({number}): Parameter of shape {tuple(parameter.shape)}, {parameter.dtype}, "
            f"{parameter.device}"
            for number, parameter in enumerate(self)
        )


class ModuleDict(Module):
    """A dictionary of modules whose parameters are found.

    Example:
        >>> heads = nn.ModuleDict({"a": nn.Linear(4, 1), "b": nn.Linear(4, 2)})
        >>> list(heads)
        ['a', 'b']

    Reference: torch.nn.ModuleDict.
    """

    def __init__(
        self, modules: dict[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> list[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> list[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> list[tuple[str, Module]]:
        """(name, module) pairs."""
        return self._modules.items()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for key in self.keys():
            del self[key]

    def update(self, modules: dict[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace several."""
        for key, module in dict(modules).items():
            self[key] = module
