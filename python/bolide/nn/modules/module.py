"""Module: the base class of layers and models.

Parameters, buffers and child modules live in the instance's ``__dict__`` like any attribute, so
that reading ``self.weight`` in ``forward`` costs one dictionary look-up and no ``__getattr__``;
what kind each name is stands in one ordered table, ``_kinds``. ``__setattr__`` and the
``register_*`` methods keep the two in step, and nothing else writes them. ``_parameters``,
``_buffers`` and ``_modules`` are views for code that knows PyTorch's.
"""

from __future__ import annotations

import bolide
from bolide._C import Tensor
from bolide.nn.modules.members import (
    BUFFER,
    MODULE,
    PARAMETER,
    IncompatibleKeys,
    RegisteredView,
    RemovableHandle,
)
from bolide.nn.parameter import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")


class Module:
    """Base class of everything with parameters: derive, make parameters in ``__init__``, write
    ``forward``.

    Attributes that are Parameters or Modules are found by ``parameters()``, ``state_dict()``,
    ``to()`` and the rest. Calling the module runs ``forward`` with its hooks.

    Example:
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(bolide.ones(1))
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(bolide.arange(3.0))
        tensor([0., 1., 2.], grad_fn=<MulBackward>)

    Reference: torch.nn.Module.
    """

    training: bool
    # class attributes, so that a module without hooks asks one flag and stores none of them
    _hooked = False
    _forward_hooks: dict | None = None
    _forward_pre_hooks: dict | None = None

    def __init__(self) -> None:
        attributes = self.__dict__
        attributes["training"] = True
        attributes["_kinds"] = {}
        attributes["_non_persistent"] = set()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # ---- members ---------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._register(name, value, PARAMETER)
        elif isinstance(value, Module):
            self._register(name, value, MODULE)
        else:
            kind = self.__dict__.get("_kinds", {}).get(name)
            if kind is None:
                object.__setattr__(self, name, value)
            elif value is None or (kind == BUFFER and isinstance(value, Tensor)):
                self.__dict__[name] = value
            else:
                wanted = {PARAMETER: "nn.Parameter", BUFFER: "Tensor", MODULE: "nn.Module"}[kind]
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' object to {kind} '{name}' ({wanted} "
                    "or None expected)"
                )

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self.__dict__.get("_kinds", {}).pop(name, None)
        self.__dict__.get("_non_persistent", set()).discard(name)

    def _register(self, name: str, value: Any, kind: str) -> None:
        kinds = self.__dict__.get("_kinds")
        if kinds is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not name or "." in name:
            raise KeyError(f"{kind} name can't contain '.' and can't be empty, got '{name}'")
        self.__dict__["_non_persistent"].discard(name)
        kinds[name] = kind
        self.__dict__[name] = value

    def _register_new(self, name: str, value: Any, kind: str, wanted: type) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if (
            "_kinds" in self.__dict__
            and hasattr(self, name)
            and self.__dict__["_kinds"].get(name) != kind
        ):
            raise KeyError(f"attribute '{name}' already exists")
        if value is not None and not isinstance(value, wanted):
            raise TypeError(
                f"cannot assign '{type(value).__name__}' object to {kind} '{name}' "
                f"({wanted.__name__} or None required)"
            )
        self._register(name, value, kind)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under ``name``; None keeps the name without a tensor (as ``bias=False``
        does).
        """
        self._register_new(name, param, PARAMETER, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that moves and is saved with the module but is not trained."""
        self._register_new(name, tensor, BUFFER, Tensor)
        if not persistent:
            self.__dict__["_non_persistent"].add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under ``name``."""
        self._register_new(name, module, MODULE, Module)

    register_module = add_module

    _parameters = property(lambda self: RegisteredView(self, PARAMETER))
    _buffers = property(lambda self: RegisteredView(self, BUFFER))
    _modules = property(lambda self: RegisteredView(self, MODULE))

    def _members(self, kind: str) -> Iterator[tuple[str, Any]]:
        attributes = self.__dict__
        for name, its_kind in list(attributes["_kinds"].items()):
            if its_kind == kind and attributes[name] is not None:
                yield name, attributes[name]

    # ---- walks -----------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._members(MODULE):
            yield from child.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children, each once, with their names."""
        seen: set[Module] = set()
        for name, child in self._members(MODULE):
            if child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        return (child for _, child in self.named_children())

    def _named_tensors(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for owner_name, owner in owners:
            for name, tensor in owner._members(kind):
                if remove_duplicate and id(tensor) in seen:
                    continue
                seen.add(id(tensor))
                yield _join(owner_name, name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names; one that is shared comes once, under its first name."""
        return self._named_tensors(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names."""
        return self._named_tensors(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module under a dotted name; "" is this one. AttributeError when there is none."""
        module = self
        for name in target.split(".") if target else []:
            child = module.__dict__.get(name)
            if not isinstance(child, Module):
                raise AttributeError(
                    f"{type(module).__name__} has no submodule `{name}` (looking for `{target}`)"
                )
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter under a dotted name. Raises AttributeError when there is none."""
        return self._get_tensor(target, PARAMETER)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer under a dotted name. Raises AttributeError when there is none."""
        return self._get_tensor(target, BUFFER)

    def _get_tensor(self, target: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if owner.__dict__["_kinds"].get(name) != kind:
            raise AttributeError(
                f"`{name}` is not a {kind} of {type(owner).__name__} (looking for `{target}`)"
            )
        return owner.__dict__[name]

    # ---- changes to the whole tree ---------------------------------------------------------------

    def apply(self, fn: Callable[[Module], object]) -> Module:
        """Call ``fn`` on every module below and on this one last, as for initial values."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch to training (dropout and the like on) or, with False, to evaluation."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                parameter.grad = bolide.zeros_like(parameter.grad)

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Module:
        # All conversions are made before the first is stored, so that running out of memory changes
        # nothing.
        # A parameter keeps its identity: an optimizer made before goes on to change the right one.
        converted = [(parameter, fn(parameter.data)) for parameter in self.parameters()]
        gradients = [
            (parameter, fn(parameter.grad.data))
            for parameter, _ in converted
            if parameter.grad is not None
        ]
        buffers = [
            (module, name, fn(buffer))
            for module in self.modules()
            for name, buffer in module._members(BUFFER)
        ]
        for parameter, data in converted:
            parameter.grad, parameter.data = None, data
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, name, buffer in buffers:
            module.__dict__[name] = buffer
        return self

    def share_memory(self) -> Module:
        """Move all parameters and buffers to where other processes can see them: Tensor.share_memory_()."""
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move to a device and/or convert floating parameters and buffers: ``to(device, dtype)``,
        ``to(tensor)``.

        Raises TypeError for a dtype that is neither floating nor complex.
        """
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        kwargs.pop("non_blocking", None)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, bolide.dtype):
                dtype = argument
            elif argument is not None and not isinstance(argument, bool):
                device = argument
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            wanted = dtype if tensor.dtype.is_floating_point or tensor.dtype.is_complex else None
            return tensor.to(tensor.device if device is None else device, wanted or tensor.dtype)

        return self._apply(convert)

    def cpu(self) -> Module:
        """``to("cpu")``"""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Module:
        """``to("cuda")`` or to the device of that index."""
        return self.to("cuda" if device is None else device)

    def float(self) -> Module:
        """``to(bolide.float32)``"""
        return self.to(bolide.float32)

    def double(self) -> Module:
        """``to(bolide.float64)``"""
        return self.to(bolide.float64)

    def half(self) -> Module:
        """``to(bolide.float16)``"""
        return self.to(bolide.float16)

    def bfloat16(self) -> Module:
        """``to(bolide.bfloat16)``"""
        return self.to(bolide.bfloat16)

    # ---- state -----------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """All parameters and persistent buffers under their dotted names; they share memory with
        the module.
        """
        state = {} if destination is None else destination
        for name, tensor in self._state():
            state[prefix + name] = tensor if keep_vars else tensor.detach()
        return state

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        hidden = self.__dict__["_non_persistent"]
        for kind in (PARAMETER, BUFFER):
            for name, tensor in self._members(kind):
                if name not in hidden:
                    yield prefix + name, tensor
        for name, child in self._members(MODULE):
            yield from child._state(f"{prefix}{name}.")

    def load_state_dict(
        self, state_dict: dict[str, Tensor], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into the parameters and buffers of the same names.

        Everything is checked before the first copy, so that an error leaves the module as it was.

        Args:
            state_dict: name to tensor, of the shapes ``state_dict()`` shows; dtype and device are
                converted.
            strict: refuse missing and unexpected names.
            assign: take the tensors themselves, with their dtype and device, instead of copying.

        Returns:
            The missing and the unexpected names.

        Raises:
            RuntimeError: names or shapes do not fit; the text lists all of them.
            TypeError: ``state_dict`` is not a dictionary of tensors.
        """
        if not hasattr(state_dict, "items"):
            raise TypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict).__name__}."
            )
        own = dict(self._state())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = []
        if strict and unexpected:
            problems.append(
                "Unexpected key(s) in state_dict: " + ", ".join(map(repr, unexpected)) + "."
            )
        if strict and missing:
            problems.append("Missing key(s) in state_dict: " + ", ".join(map(repr, missing)) + ".")
        for name, value in state_dict.items():
            if name not in own:
                continue
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"[load_state_dict] expected a Tensor for '{name}', got {type(value).__name__}."
                )
            if tuple(value.shape) != tuple(own[name].shape):
                problems.append(
                    f"size mismatch for {name}: copying a param with shape {tuple(value.shape)} "
                    "from checkpoint, "
                    f"the shape in current model is {tuple(own[name].shape)}."
                )
        if problems:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(problems)
            )
        with bolide.no_grad():
            for name, tensor in own.items():
                if name not in state_dict:
                    continue
                if assign:
                    self._assign(name, state_dict[name])
                else:
                    tensor.copy_(state_dict[name])
        return IncompatibleKeys((missing, unexpected))

    def _assign(self, target: str, value: Tensor) -> None:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if owner.__dict__["_kinds"][name] == PARAMETER and not isinstance(value, Parameter):
            value = Parameter(value, owner.__dict__[name].requires_grad)
        owner.__dict__[name] = value

    # ---- hooks -----------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before forward; a result that is not None replaces the
        arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)``, which returns None or (args,
        kwargs).
        """
        return self._add_hook("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after forward; a result that is not None replaces the
        output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``.
        """
        return self._add_hook("_forward_hooks", hook, prepend, with_kwargs)

    def _add_hook(
        self, table: str, hook: Callable, prepend: bool, with_kwargs: bool
    ) -> RemovableHandle:
        hooks = self.__dict__.setdefault(table, {})
        handle = RemovableHandle(hooks)
        earlier = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[handle] = (hook, with_kwargs)
        hooks.update(earlier)
        self.__dict__["_hooked"] = True
        return handle

    def _call_with_hooks(self, args: tuple, kwargs: dict) -> Any:
        for hook, with_kwargs in list((self._forward_pre_hooks or {}).values()):
            if with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in list((self._forward_hooks or {}).values()):
            changed = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            if changed is not None:
                output = changed
        return output

    # ---- text ------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the parentheses of ``repr``; layers give their sizes."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indent(repr(child))}" for name, child in self._members(MODULE)]
        if not children and len(lines) < 2:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines + children) + "\n)"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
