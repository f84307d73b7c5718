"""Ctrl-C: taken when the running op returns, between the ops of a backward, and out of waits. Afterwards everything is
usable and nothing is lost. And programs that end while other threads compute.

Each program is a process of its own. It installs Python's handler itself: whatever a shell starts in the background
without job control ignores SIGINT, so do its children, and Python then has no KeyboardInterrupt (a test that relied on
it waited for ever). A program that does not end is killed, and its test fails.
"""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from conftest import DEVICE

HEAD = """
    import gc, os, signal, sys, threading
    import bolide
    from bolide.utils.data import DataLoader, TensorDataset
    signal.signal(signal.SIGINT, signal.default_int_handler)
    device = os.environ.get("BOLIDE_TEST_DEVICE", "cpu")
    size = 400 if device == "cpu" else 24
    a = bolide.ones(size, size, device=device, requires_grad=True)

    def state():
        gc.collect()
        return bolide._C._live_nodes(), bolide._C._memory_stats(device)["live_blocks"]
"""

UNTIL_INTERRUPTED = """
    def until_interrupted():
        try:
            print("ready", flush=True)
            while True:
                work()
        except KeyboardInterrupt:
            a.grad = None

    work()  # what is made once and kept is there
    a.grad = None
    before = state()
    until_interrupted()
    assert state() == before, (state(), before)
    (a * 2).sum().backward()
    assert a.grad.tolist() == [[2.0] * size] * size
    print("usable", flush=True)
"""

WORKS = {
    "an op": """
    def work():
        (a.detach() @ a.detach()).sum().item()
    """,
    "backward": """
    def work():
        (a @ a).sum().backward()
    """,
    "a hook of a backward": """
    def work():
        b = a * 2
        b.register_hook(lambda g: (g @ g) * 0 + g)
        (b @ b).sum().backward()
    """,
    "a Function of a backward": """
    class Twice(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return (x @ g) * 0 + g * 2
    def work():
        Twice.apply(a @ a).sum().backward()
    """,
    "a DataLoader": """
    data = DataLoader(TensorDataset(bolide.ones(64, 16)), batch_size=4, num_workers=2)
    def work():
        for (batch,) in data:
            (a[:16, :16] @ batch.to(device).t()).sum().backward()
    """,
}


def run(program, interrupt=True):
    """(exit status, stdout, stderr) of a program that gets SIGINT once it has printed a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(120, child.kill)
    watchdog.start()
    try:
        first = child.stdout.readline() if interrupt else ""
        if first:
            child.send_signal(signal.SIGINT)
        out, errors = child.communicate()
        return child.returncode, first + out, errors
    finally:
        watchdog.cancel()
        child.kill()


@pytest.mark.parametrize("work", WORKS)
def test_ctrl_c_is_taken_and_nothing_is_lost(work):
    status, out, errors = run(HEAD + WORKS[work] + UNTIL_INTERRUPTED)
    assert (status, out) == (0, "ready\nusable\n"), errors


def test_ctrl_c_while_another_thread_works():
    """The main thread takes it, whichever thread the system gave it to; the other one goes on."""
    body = """
    stop, rounds = threading.Event(), []
    def others():
        b = bolide.ones(size, size, device=device)
        while not stop.is_set():
            rounds.append((b @ b)[0, 0].item())
    thread = threading.Thread(target=others)
    thread.start()
    try:
        print("ready", flush=True)
        while True:
            (a @ a).sum().backward()
    except KeyboardInterrupt:
        a.grad = None
    seen = len(rounds)
    while len(rounds) < seen + 3:
        pass
    stop.set()
    thread.join()
    assert set(rounds) == {float(size)}
    print("usable", flush=True)
    """
    status, out, errors = run(HEAD + body)
    assert (status, out) == (0, "ready\nusable\n"), errors


def test_ctrl_c_within_one_long_backward():
    """A backward of 300,000 nodes is left after the node that runs: the leaf at its end gets no gradient."""
    body = """
    before = state()
    def long_backward():
        x = bolide.ones(4, requires_grad=True)
        y = x
        for _ in range(300_000):
            y = y * 1
        y = y.sum()
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        try:
            y.backward()
            return "ran to its end"
        except KeyboardInterrupt:
            return x.grad
    assert long_backward() is None
    assert state() == before
    """
    status, _, errors = run(HEAD + body, interrupt=False)
    assert status == 0, errors


@pytest.mark.skipif(DEVICE != "cuda", reason="the CPU has no queue to wait for")
@pytest.mark.parametrize("wait", ["bolide.cuda.synchronize()", "b.tolist()", "event.synchronize()"])
def test_ctrl_c_ends_a_wait_for_the_device(wait):
    """The wait ends, the queued work does not: the next wait finds it done."""
    body = f"""
    emulated = "emulation" in bolide.cuda.get_device_name()
    x = bolide.ones(50_000 if emulated else 1 << 27, device=device)  # much longer than the 5 ms below
    bolide.cuda.synchronize()
    for _ in range(600):
        x += 1
    b = x[:3] * 1
    event = bolide.cuda.Event()
    event.record()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    try:
        {wait}
        sys.exit("the wait ran to its end")
    except KeyboardInterrupt:
        pass
    assert b.tolist() == [601.0] * 3
    """
    status, _, errors = run(HEAD + body, interrupt=False)
    assert status == 0, errors


def test_a_program_ends_cleanly_while_other_threads_compute():
    """Threads that come back from a kernel when the interpreter has ended neither abort the process nor keep it."""
    body = """
    def work():
        a = bolide.ones(200, 200)
        while True:
            a @ a
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    import time
    time.sleep(0.02)
    sys.exit(7)
    """
    for _ in range(6):
        status, _, errors = run(HEAD + body, interrupt=False)
        assert (status, errors) == (7, "")
