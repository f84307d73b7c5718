"""Modes of the current thread: whether ops are recorded for backward(). Context managers and decorators."""

from bolide import _C

_GENERATOR = 0x20  # in a code object's flags


class _Mode:
    """Sets a mode on entry and the one before on exit; as a decorator, round every call."""

    def _enter(self):
        raise NotImplementedError

    def _exit(self):
        raise NotImplementedError

    def __enter__(self):
        self._enter()
        return self

    def __exit__(self, *error):
        self._exit()

    def _again(self):
        """A fresh one of the same kind: calls of a decorated function may nest."""
        return type(self)()

    def __call__(self, function):
        from functools import wraps

        if isinstance(
            function, type
        ):  # PyTorch still takes them: calls of the class run in the mode
            import warnings

            warnings.warn(
                f"[{type(self).__name__}] expected a function to decorate, got the class "
                f"{function.__name__}. Decorate its methods instead.",
                FutureWarning,
                stacklevel=2,
            )
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _GENERATOR:
            return wraps(function)(lambda *args, **named: self._steps(function(*args, **named)))

        @wraps(function)
        def wrapped(*args, **named):
            with self._again():
                return function(*args, **named)

        return wrapped

    def _steps(self, generator):
        """The generator, with the mode on while it runs and off while it waits."""
        reply, error = None, None
        while True:
            try:
                with self._again():
                    value = generator.send(reply) if error is None else generator.throw(error)
            except StopIteration as end:
                return end.value
            reply, error = None, None
            try:
                reply = yield value
            except GeneratorExit:
                with self._again():
                    generator.close()
                raise
            except BaseException as raised:
                error = raised


class set_grad_enabled(_Mode):  # noqa: N801: PyTorch's name
    """Record ops for backward(), or not; from now on, or as a context manager.

    Example:
        >>> with bolide.set_grad_enabled(training):
        ...     loss = model(x)

    Reference: torch.set_grad_enabled.
    """

    def __init__(self, mode):
        self.mode = bool(mode)
        self._before = [_C._set_grad_enabled(self.mode)]

    def _again(self):
        return _Enabled(self.mode)

    def __call__(self, function):
        _C._set_grad_enabled(self._before[0])  # a decorator does nothing yet
        return super().__call__(function)

    def _enter(self):
        _C._set_grad_enabled(self.mode)

    def _exit(self):
        _C._set_grad_enabled(self._before[0])


class _Enabled(_Mode):
    mode = True

    def __init__(self, mode=None):
        if mode is not None:
            self.mode = mode
        self._before = []

    def _again(self):
        return type(self)() if type(self) is not _Enabled else _Enabled(self.mode)

    def _enter(self):
        self._before.append(_C._set_grad_enabled(self.mode))

    def _exit(self):
        _C._set_grad_enabled(self._before.pop())


class no_grad(_Enabled):
    """Do not record ops: results require no gradient. A context manager and a decorator.

    Example:
        >>> with bolide.no_grad():
        ...     weight -= 0.1 * weight.grad

    Reference: torch.no_grad.
    """

    mode = False

    def __new__(cls, function=None):
        return object.__new__(cls) if function is None else cls()(function)

    def __init__(self, function=None):
        super().__init__()


class enable_grad(no_grad):
    """Record ops again, inside no_grad(). Reference: torch.enable_grad."""

    mode = True


class inference_mode(_Mode):
    """Like no_grad(), and what is made inside can never be part of a graph.

    Reference: torch.inference_mode.
    """

    def __new__(cls, mode=True):
        return object.__new__(cls) if not callable(mode) else cls()(mode)

    def __init__(self, mode=True):
        self.mode = mode
        self._before = []

    def _again(self):
        return inference_mode(self.mode)

    def _enter(self):
        self._before.append(
            (_C._set_inference_enabled(self.mode), _C._set_grad_enabled(not self.mode))
        )

    def _exit(self):
        inference, grad = self._before.pop()
        _C._set_inference_enabled(inference)
        _C._set_grad_enabled(grad)
