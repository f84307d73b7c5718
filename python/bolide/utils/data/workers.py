"""The threads behind DataLoader(num_workers > 0). Imported at their first use: threading is not
free to import.

One run over the data set is one Run: requests go into a queue in order and come back as (value,
    error) under
their number, so that the caller takes them in order. Threads are daemons: a data set that never
returns keeps neither Ctrl-C nor the end of the program waiting for more than ``_PATIENCE`` seconds.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
import weakref
from queue import SimpleQueue

from bolide.utils.data.dataloader import WorkerInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bolide.utils.data.dataloader import DataLoader

_PATIENCE = 0.5
_runs: weakref.WeakSet[_Run] = weakref.WeakSet()
current = threading.local()


class _Run:
    """The queue and results of one run over a loader, shared by its caller and its threads."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.requests: SimpleQueue = SimpleQueue()
        self.results: dict[int, tuple[Any, BaseException | None]] = {}
        self.ready = threading.Condition()
        self.stopped = False
        self.threads = [
            threading.Thread(
                target=_work, args=(self, number), name=f"bolide-data-{number}", daemon=True
            )
            for number in range(loader.num_workers)
        ]
        _runs.add(self)
        for thread in self.threads:
            thread.start()

    def take(self, number: int) -> Any:
        """Wait for the result with that number; raise its error with the worker's traceback."""
        timeout = self.loader.timeout
        deadline = time.monotonic() + timeout if timeout else math.inf
        with self.ready:
            while number not in self.results:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise RuntimeError(
                        f"DataLoader timed out after {timeout} seconds waiting for batch {number} of "
                        f"{self.loader.num_workers} workers"
                    )
                # In steps: a Ctrl-C just before the wait begins is taken only when it ends.
                self.ready.wait(min(left, _PATIENCE))
            value, error = self.results.pop(number)
        if error is not None:
            try:
                raise error
            finally:
                del (
                    error
                )  # its traceback holds this frame: no cycle, so that nothing outlives the handler
        return value

    def put(self, number: int, value: Any, error: BaseException | None) -> None:
        with self.ready:
            if not self.stopped:
                self.results[number] = (value, error)
                self.ready.notify_all()

    def stop(self) -> None:
        """Ask the threads to end after what they are doing; drop what nobody will take."""
        with self.ready:
            self.stopped = True
            self.results.clear()
        for _ in self.threads:
            self.requests.put(None)

    def join(self) -> None:
        """Wait for the threads, but not long: one may be stuck in the data set."""
        deadline = time.monotonic() + _PATIENCE
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _work(run: _Run, worker: int) -> None:
    loader = run.loader
    current.info = WorkerInfo(worker, loader.num_workers, loader.dataset)
    failed_start: BaseException | None = None
    try:
        if loader.worker_init_fn is not None:
            loader.worker_init_fn(worker)
    except (
        BaseException
    ) as error:  # raised in the caller, as the result of this worker's first batch
        failed_start = error
    while not run.stopped:
        task = run.requests.get()
        if task is None:
            return
        number, request = task
        try:
            if failed_start is not None:
                raise failed_start
            value, caught = loader._fetch(request), None
        except BaseException as error:  # whatever it is, the caller raises it
            error.add_note(f"Raised in DataLoader worker thread {worker}, in batch {number}.")
            value, caught = None, error
        run.put(number, value, caught)
        del task, request, value, caught


def iterate(loader: DataLoader) -> Iterator[Any]:
    """The batches of one run, in order."""
    run = _Run(loader)
    try:
        requests = iter(loader._requests())
        asked = taken = 0
        exhausted = False
        while True:
            while not exhausted and asked - taken < loader.num_workers * loader.prefetch_factor:
                try:
                    run.requests.put((asked, next(requests)))
                    asked += 1
                except StopIteration:
                    exhausted = True
            if taken == asked:
                return
            yield run.take(taken)
            taken += 1
    finally:
        run.stop()


@atexit.register
def _stop_all() -> None:
    runs = list(_runs)
    for run in runs:
        run.stop()
    for run in runs:
        run.join()
