"""What is shared, copied or refused between bolide and its partners: tried, and written down in docs/exchange.md.

    PYTHONPATH=build/python .venv/bin/python tests/python/exchange_table.py    # writes the sections it can try here

Each cell is an exchange that was made: "shared" means that both see one memory and that what one writes the other
reads (where it may be written), "copied" that the values are equal, a name that this error was raised. To add a partner: a
class here, and its name in PARTNERS. test_exchange.py compares the sections of the partners that are installed.
"""

import importlib.util
import re
import warnings
from pathlib import Path

import bolide
import numpy as np
from conftest import DEVICE
from dlpack_fakes import DTYPES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exchange.md"
SHAPE = (4, 6)


def layouts(base):
    """Views of a matrix that every library can make."""
    return {
        "contiguous": base,
        "transposed": base.T,
        "sliced": base[::2, 1:],
        "one element": base[1:2, 1:2],
        "0-d": base[1:2, 1].reshape(()),
        "empty": base[:0],
    }


class Tensors:
    """What bolide's and PyTorch's tensors have in common."""

    def address(self, x):
        return x.data_ptr()

    def write(self, x):
        first = (0,) * x.ndim
        try:
            x[first] = x[first].item() == 0
        except RuntimeError:  # memory that must not be written, or that is seen twice
            return False
        return True


class Bolide(Tensors):
    """bolide itself, on the device under test."""

    name, dtypes = "bolide", DTYPES

    def make(self, dtype):
        base = bolide.arange(24).reshape(SHAPE).to(getattr(bolide, dtype)).to(DEVICE)
        leaf = bolide.ones(SHAPE, device=DEVICE, requires_grad=True)
        more = {"expanded": base[:1].expand(4, 6)}
        if dtype == "float32":
            more["requires grad"] = leaf
        if DEVICE == "cpu":
            more["read-only"] = bolide.frombuffer(bytes(24 * base.itemsize), dtype=base.dtype)
        return layouts(base) | more

    def take(self, x):
        return bolide.from_dlpack(x)

    def values(self, x):
        return x.detach().cpu().to(bolide.complex128).tolist()


class NumPy:
    """NumPy arrays; NumPy reads no device memory, so it asks for a copy on the CPU."""

    name = "NumPy"
    dtypes = (*(d for d in DTYPES if d != "bfloat16"), "uint16", "uint64", "longdouble")

    def make(self, dtype):
        base = np.arange(24).reshape(SHAPE).astype(dtype)
        fixed = base.copy()
        fixed.flags.writeable = False
        bytes_ = np.zeros(base.nbytes + 1, np.uint8)
        odd = bytes_[1:].view(base.dtype) if base.itemsize == 1 else _unaligned(base)
        return layouts(base) | {
            "expanded": np.broadcast_to(base[:1], SHAPE),
            "flipped": base[::-1],
            "read-only": fixed,
            "unaligned": odd,
            "other endian": base.astype(base.dtype.newbyteorder(">")),
        }

    def take(self, x):
        return np.from_dlpack(x) if DEVICE == "cpu" else np.from_dlpack(x, device="cpu")

    def address(self, x):
        return x.ctypes.data

    def values(self, x):
        return x.astype("complex128").tolist()

    def write(self, x):
        if x.flags.writeable:
            x[(0,) * x.ndim] = x[(0,) * x.ndim] == 0
        return x.flags.writeable


def _unaligned(base):
    memory = np.zeros(base.nbytes + 1, np.uint8)
    odd = np.ndarray(base.shape, base.dtype, memory, offset=1)
    odd[...] = base
    return odd


class PyTorch(Tensors):
    """PyTorch tensors on the CPU, by the table of C functions."""

    name = "PyTorch"
    dtypes = (*DTYPES, "uint16", "uint64", "complex32", "float8_e5m2")

    def __init__(self):
        import torch

        self.torch = torch

    def make(self, dtype):
        torch = self.torch
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # complex32 is experimental
            base = torch.arange(24.0).reshape(SHAPE).to(getattr(torch, dtype))
        found = layouts(base) | {"expanded": base[:1].expand(4, 6)}
        if dtype == "float32":
            found |= {
                "requires grad": torch.ones(SHAPE, requires_grad=True),
                "parameter": torch.nn.Parameter(torch.ones(SHAPE)),
                "sparse": base.to_sparse(),
                "lazily negated": torch._neg_view(base),
            }
        if dtype == "complex64":
            found["lazily conjugated"] = base.conj()
        return found

    def take(self, x):
        return self.torch.from_dlpack(x)

    def values(self, x):
        return x.detach().to(self.torch.complex128).tolist()


class Jax:
    """JAX arrays on the CPU; they are immutable, so bolide's tensors on them are read-only."""

    name = "JAX"
    dtypes = (*DTYPES, "uint16", "float8_e5m2")

    def __init__(self):
        import jax

        self.jax = jax
        jax.config.update("jax_enable_x64", True)

    def make(self, dtype):
        base = self.jax.numpy.arange(24).reshape(SHAPE).astype(dtype)
        return {"contiguous": base, "0-d": base[1, 1], "empty": base[:0]}

    def take(self, x):
        return self.jax.dlpack.from_dlpack(x)

    def address(self, x):
        return x.unsafe_buffer_pointer()

    def values(self, x):
        # of a copy: np.asarray keeps what it once gave
        return np.asarray(self.jax.numpy.copy(x)).astype("complex128").tolist()

    def write(self, x):
        return False


PARTNERS = {"numpy": NumPy, "torch": PyTorch, "jax": Jax}


def outcome(producer, consumer, x):
    """One word on what happens to x on its way."""
    try:
        y = consumer.take(x)
    except Exception as error:
        kind = type(error).__name__
        return "copy= only" if kind == "CopyRequiredError" else kind
    before = consumer.values(y)
    assert before == producer.values(x), (producer.name, consumer.name, x)
    if before == []:
        return "no elements"
    if producer.address(x) != consumer.address(y):
        return "copied"
    wrote = [producer.write(x), consumer.write(y)]
    assert consumer.values(y) == producer.values(x)
    if all(wrote):
        return "shared"
    if not any(wrote):
        return "shared, read-only"
    return f"shared, written by {(producer if wrote[0] else consumer).name} only"


def try_all(producer, consumer):
    """{layout: {dtype: word}}, as found now."""
    found: dict = {}
    for dtype in producer.dtypes:
        for layout, x in producer.make(dtype).items():
            found.setdefault(layout, {})[dtype] = outcome(producer, consumer, x)
    return found


def table(title, found):
    """Markdown: dtypes with the same word together, and layouts with the same words."""
    rows: dict = {}
    for layout, by_dtype in found.items():
        words: dict = {}
        for dtype, word in by_dtype.items():
            words.setdefault(word, []).append(dtype)
        most = max(words, key=lambda word: len(words[word]))
        text = [most] + [f"{w} ({', '.join(d)})" for w, d in words.items() if w != most]
        rows.setdefault("; ".join(text), []).append(layout)
    lines = [f"| {', '.join(layouts)} | {text} |" for text, layouts in rows.items()]
    return "\n".join([f"### {title}", "", "| layout | what happens |", "|---|---|", *lines, ""])


def sections():
    """{title: text} of what can be tried here, on the device under test."""
    here = {"cpu": "CPU", "cuda": "CUDA"}[DEVICE]
    own, out = Bolide(), {}

    def add(producer, consumer):
        title = f"{producer.name} to {consumer.name}, {here}"
        out[title] = table(title, try_all(producer, consumer))

    add(own, own)
    for module, partner in PARTNERS.items():
        if importlib.util.find_spec(module) is None or (DEVICE == "cuda" and partner is not NumPy):
            continue
        other = partner()
        add(own, other)
        if DEVICE == "cpu":
            add(other, own)
    return out


def committed():
    """{title: text} of the page as it is."""
    parts = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    return {part.split("\n")[0]: f"### {part.rstrip()}\n" for part in parts}


def main():
    """Writes the sections that were tried; the text above them and other sections stay."""
    head = PAGE.read_text(encoding="utf-8").split("### ")[0]
    parts = committed() | sections()
    PAGE.write_text(head + "\n".join(parts.values()), encoding="utf-8")


if __name__ == "__main__":
    main()
