"""All layers, one file per family."""

from bolide.nn.modules.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from bolide.nn.modules.container import ModuleDict, ModuleList, ParameterList, Sequential
from bolide.nn.modules.conv import Conv2d, MaxPool2d
from bolide.nn.modules.dropout import Dropout
from bolide.nn.modules.embedding import Embedding
from bolide.nn.modules.linear import Flatten, Identity, Linear
from bolide.nn.modules.loss import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from bolide.nn.modules.module import Module
from bolide.nn.modules.normalization import LayerNorm

__all__ = [
    "ELU",
    "GELU",
    "BCEWithLogitsLoss",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "ParameterList",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]
