"""Memory handed to and fro a million times, and the cost of the table of C functions beside PyTorch's.

    python benchmarks/exchange.py [--trips 1000000] [--threads 16]

Each round trip goes bolide -> PyTorch -> bolide, or through NumPy where PyTorch is not installed, at first from one
thread, then from many at once. Printed before and after: bytes and blocks of the pool, resident memory, Python objects. The
exit status is 1 where they have grown. The table is called from C (compiled here, with cc), as a library of kernels would.
"""

import argparse
import ctypes
import gc
import importlib.util
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import bolide
import numpy as np

SOURCE = """
#include <stdint.h>
typedef struct Managed { uint32_t version[2]; void* context; void (*deleter)(struct Managed*); } Managed;
typedef int (*Export)(void*, Managed**);
typedef int (*View)(void*, void*);
int exports(Export f, void* x, long n) {
  for (Managed* m; n > 0; n--) { if (f(x, &m)) return 1; m->deleter(m); }
  return 0;
}
int views(View f, void* x, long n) {
  char tensor[64];
  for (; n > 0; n--) if (f(x, tensor)) return 1;
  return 0;
}
"""


def partner():
    """(name, the function that takes our tensors)"""
    if importlib.util.find_spec("torch"):
        import torch

        return "PyTorch", torch.from_dlpack
    return "NumPy", np.from_dlpack


def state():
    """What a leak would make grow."""
    gc.collect()
    pool = bolide._C._memory_stats("cpu")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "pool bytes": pool["allocated"],
        "pool blocks": pool["live_blocks"],
        "resident MB": pages * 4096 / 1e6,
        "objects": len(gc.get_objects()),
    }


def trips(take, count):
    """That many round trips of a tensor that is made for each."""
    for i in range(count):
        x = bolide.from_dlpack(take(bolide.full((8,), i)))
        if i % 10000 == 0:
            assert x.tolist() == [i] * 8


def soak(name, take, count, threads):
    """Seconds per round trip; prints what has grown, and says whether anything has."""

    def all_threads(n):
        workers = [
            threading.Thread(target=trips, args=(take, n // threads)) for _ in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    all_threads(max(20000, 1000 * threads))  # caches fill
    before = state()
    start = time.perf_counter()
    all_threads(count)
    took = time.perf_counter() - start
    after = state()
    print(
        f"{count} round trips through {name}, {threads} threads: {took / count * 1e6:.2f} us each"
    )
    limits = {"pool bytes": 0, "pool blocks": 0, "resident MB": 4, "objects": 50}
    grown = [what for what, limit in limits.items() if after[what] > before[what] + limit]
    for what in limits:
        print(
            f"  {what:12} {before[what]:14.1f} -> {after[what]:14.1f}{' GROWN' * (what in grown)}"
        )
    return not grown


def table_times():
    """Prints nanoseconds per call of both exports in each library's table."""
    tensors = {"bolide": bolide.ones(4, 6)}
    if importlib.util.find_spec("torch"):
        import torch

        tensors["torch"] = torch.ones(4, 6)
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "table.c"), Path(folder, "table.so")
        source.write_text(SOURCE)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        loops = ctypes.PyDLL(str(library))
        for name, x in tensors.items():
            address = get_pointer(type(x).__dlpack_c_exchange_api__, b"dlpack_exchange_api")
            fields = (ctypes.c_void_p * 7).from_address(address)  # version, previous, functions
            for what, loop, function in (
                ("export and delete", loops.exports, fields[3]),
                ("view", loops.views, fields[5]),
            ):
                best, n = 1.0, 200000
                for _ in range(7):
                    start = time.perf_counter()
                    failed = loop(ctypes.c_void_p(function), ctypes.py_object(x), ctypes.c_long(n))
                    best = min(best, (time.perf_counter() - start) / n)
                    assert not failed
                print(f"table, {what}: {name} {best * 1e9:.1f} ns")


def best_of(call, count=2000, rounds=9):
    """Seconds of this thread per call, which others on the machine disturb less than those of the clock."""
    best = 1.0
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(count):
            call()
        best = min(best, (time.thread_time() - start) / count)
    return best


def interop_times():
    """Prints what bolide.interop.torch adds to a call, beside what PyTorch takes for a Function that does nothing."""
    import bolide.interop.torch as bt
    import torch

    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.clone()
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, grad):
            return grad if ctx.saved_tensors else None

    plain, leaf = torch.ones(8), torch.ones(8, requires_grad=True)

    def there_and_back(f):
        return lambda: torch.autograd.grad(f(leaf), leaf, plain)

    for what, call in (
        ("bt.relu, no gradient", lambda: bt.relu(plain)),
        ("torch.relu, no gradient", lambda: torch.relu(plain)),
        ("bt.relu, recorded", lambda: bt.relu(leaf)),
        ("a Function of a clone(), recorded", lambda: Nothing.apply(leaf)),
        ("torch.relu, recorded", lambda: torch.relu(leaf)),
        ("bt.relu and its gradient", there_and_back(bt.relu)),
        ("a Function of a clone() and its gradient", there_and_back(Nothing.apply)),
        ("torch.relu and its gradient", there_and_back(torch.relu)),
    ):
        print(f"interop, {what}: {best_of(call) * 1e6:.2f} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trips", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    table_times()
    if importlib.util.find_spec("torch"):
        interop_times()
    name, take = partner()
    flat = [soak(name, take, options.trips, n) for n in (1, options.threads)]
    raise SystemExit(0 if all(flat) else 1)


if __name__ == "__main__":
    main()
