"""Indices and classes out of range: an IndexError at once on the CPU; on a device, which nobody waits for, at the next
wait. Either way nothing outside of the array is read or written.
"""

import bolide
import pytest
from bolide import nn
from conftest import DEVICE

ON = {"device": DEVICE}
F = nn.functional


def wait():
    if DEVICE == "cuda":
        bolide.cuda.synchronize()


class Inputs:
    """A table of 5 rows inside a larger array, and good and bad row numbers for it."""

    def __init__(self):
        self.all = bolide.arange(36.0, **ON).reshape(9, 4)
        self.table = self.all[2:7]
        self.bad = bolide.tensor([0, 5, 4, -6, 2], **ON)
        self.logits = bolide.zeros(3, 4, **ON)
        self.target = bolide.tensor([1, 4, -1], **ON)


CALLS = [
    ("index", lambda s: s.table[s.bad], "indices in [-5, 4], got 5"),
    ("index", lambda s: s.table[:, s.bad + 4], "indices in [-4, 3], got 4"),
    ("index", lambda s: s.table[s.bad.clamp(-5, 4), s.bad + 1], "indices in [-4, 3], got 6"),
    ("index_put_", lambda s: s.table.__setitem__(s.bad, 1.0), "indices in [-5, 4], got 5"),
    ("index_select", lambda s: s.table.index_select(0, s.bad), "indices in [0, 4], got 5"),
    ("gather", lambda s: s.table.gather(0, s.bad.reshape(5, 1)), "indices in [0, 4], got 5"),
    ("embedding", lambda s: F.embedding(s.bad, s.table), "indices in [0, 4], got 5"),
    ("cross_entropy", lambda s: F.cross_entropy(s.logits, s.target), "classes in [0, 3], got 4"),
    ("nll_loss", lambda s: F.nll_loss(s.logits, s.target), "classes in [0, 3], got 4"),
]  # fmt: skip


@pytest.mark.parametrize("line", CALLS, ids=lambda line: f"{line[0]}, {line[2][-5:]}")
def test_an_index_out_of_range_is_an_error(line):
    op, call, text = line
    inputs = Inputs()
    if DEVICE == "cuda":
        call(inputs)  # returns, since it does not wait
    with pytest.raises(IndexError) as raised:
        call(inputs)
        wait()
    assert str(raised.value).startswith(f"[{op}] expected {text}")
    assert ("after the call had returned" in str(raised.value)) == (DEVICE == "cuda")
    wait()  # it was raised once
    assert inputs.all[:2].tolist() + inputs.all[7:].tolist() == [
        [4.0 * i + j for j in range(4)] for i in (0, 1, 7, 8)
    ]
    assert inputs.table[bolide.tensor([4], **ON)][0, 0].item() in (
        24.0,
        1.0,
    )  # a good row may be written


@pytest.mark.parametrize(
    "read", [lambda t: t.tolist(), lambda t: t.to("cpu"), lambda t: t.sum().item(), repr]
)
def test_whatever_waits_raises(read):
    with pytest.raises(IndexError, match="got 5"):
        read(bolide.ones(5, 2, **ON)[bolide.tensor([1, 5], **ON)])
    assert read(bolide.ones(2, **ON)) is not None


@pytest.mark.skipif(DEVICE != "cuda", reason="about a device's queue")
@pytest.mark.skipif(
    DEVICE == "cuda" and "emulation" not in bolide.cuda.get_device_name(),
    reason="a real device does not wait to be waited for",
)
def test_neither_a_loss_nor_an_index_waits():
    """The emulated device does nothing before somebody waits: the event in front of it all is still to come."""
    weight = bolide.ones(6, 4, requires_grad=True, **ON)
    rows, target = bolide.tensor([0, 5, 2], **ON), bolide.tensor([1, 3, 0], **ON)
    wait()
    event = bolide.cuda.Event()
    event.record()
    loss = F.cross_entropy(F.embedding(rows, weight) + weight[rows], target)
    loss.backward()
    weight.detach()[rows] = 2.0
    assert not event.query()
    assert loss.item() == pytest.approx(1.3862944)
    assert event.query() and weight.detach()[5].tolist() == [2.0] * 4


def test_a_target_changed_before_backward_is_noticed():
    """It may be out of range by then."""
    logits = bolide.zeros(2, 3, requires_grad=True, **ON)
    target, weight = bolide.tensor([0, 1], **ON), bolide.ones(3, **ON)
    loss = F.cross_entropy(logits, target, weight=weight)
    target.fill_(7)
    with pytest.raises(RuntimeError, match="in-place"):
        loss.backward()
    target.fill_(1)
    loss = F.cross_entropy(logits, target, weight=weight)
    weight.mul_(2)
    with pytest.raises(RuntimeError, match="in-place"):
        loss.backward()
    assert logits.grad is None
