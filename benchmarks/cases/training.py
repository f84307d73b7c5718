"""Whole training steps: forward, loss, backward, optimizer, as a user writes them."""

from __future__ import annotations

import itertools

import numpy as np

from cases import Case


def _perceptron(nn, sizes, activation):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def _convolutional(nn):
    """The network of examples/fashion_mnist.py."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(128, 10),
    )


def _training(make_model, make_optimizer, make_data, loss_name):
    """names() of a training step; all libraries start from the same weights."""

    def names(library):
        lib, functional = library.module, library.functional
        rng = np.random.default_rng(3)
        model = make_model(lib.nn).to(library.device)
        with lib.no_grad():
            for p in model.parameters():
                bound = 1 / np.sqrt(p.shape[-1] if p.ndim < 4 else p.shape[1] * 9)
                values = rng.uniform(-bound, bound, tuple(p.shape)).astype(np.float32)
                p.copy_(library.tensor(values))
        optimizer = make_optimizer(lib.optim, model.parameters())
        x, y = (library.tensor(array) for array in make_data(rng))
        loss_of = getattr(functional, loss_name)

        def step():
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        def check():
            """Losses of three steps, and the gradients of the first; without dropout.

            Later gradients would compare weights that Adam has moved by lr * sign(g) where g is rounding.
            """
            model.eval()
            losses = [step().detach()]
            gradients = [p.grad.clone() for p in model.parameters()]
            losses += [step().detach() for _ in range(2)]
            model.train()
            return [*losses, *gradients]

        return {"step": step, "check": check}

    return names


def _digits(batch, shape):
    def data(rng):
        return (
            rng.standard_normal((batch, *shape), dtype=np.float32),
            rng.integers(0, 10, batch),
        )

    return data


def _regression(rng):
    return (
        rng.standard_normal((8, 16), dtype=np.float32),
        rng.standard_normal((8, 1), dtype=np.float32),
    )


def cases():
    """The rows of this file.

    flops: three passes (forward, weights' and input's gradients) of 2 m n k each; the first layer's input needs none.
    """
    mlp = 2 * 64 * (2 * 784 * 256 + 3 * 256 * 10)
    convolution = 784 * 32 * 9 * 2 + 3 * (196 * 64 * 32 * 9 + 3136 * 128 + 128 * 10)
    return [
        Case(
            "MLP 784-256-10, batch 64, SGD step",
            "training",
            2,
            _training(
                lambda nn: _perceptron(nn, (784, 256, 10), nn.ReLU),
                lambda optim, parameters: optim.SGD(parameters, lr=0.01),
                _digits(64, (784,)),
                "cross_entropy",
            ),
            "step()",
            flops=mlp,
        ),
        Case(
            "MLP 16-16-16-1, batch 8, Adam step",
            "training",
            6,
            _training(
                lambda nn: _perceptron(nn, (16, 16, 16, 1), nn.Tanh),
                lambda optim, parameters: optim.Adam(parameters, lr=1e-3),
                _regression,
                "mse_loss",
            ),
            "step()",
            flops=2 * 8 * (16 * 16 * 5 + 16 * 3),
        ),
        Case(
            "CNN of the demo, batch 64, Adam step",
            "training",
            1.3,
            _training(
                _convolutional,
                lambda optim, parameters: optim.Adam(parameters, lr=2e-3),
                _digits(64, (1, 28, 28)),
                "cross_entropy",
            ),
            "step()",
            flops=2 * 64 * convolution,
        ),
    ]
