"""Neural networks: modules with parameters, their functional forms and their initial values.

``modules/`` has one file per family of layers; each layer is a constructor that makes the
parameters and a ``forward`` that calls one function of ``functional``. A new layer goes into its
family's file and into ``modules/__init__.py``.
"""

from bolide.nn import functional, init
from bolide.nn.modules import *  # noqa: F403
from bolide.nn.modules import __all__ as _layers
from bolide.nn.parameter import Parameter

__all__ = ["Parameter", "functional", "init", *_layers]
