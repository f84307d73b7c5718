"""DataLoader: batches of a data set, fetched here or ahead of time by threads.

Workers are threads, not processes: reading and decoding files releases the GIL, tensors need no
    copy between
processes, and starting costs microseconds. The order of the batches never depends on the workers.
"""

from __future__ import annotations

from bolide.utils.data.collate import default_collate
from bolide.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


class DataLoader:
    """Iterates over a data set in batches.

    Args:
        dataset: anything with ``__len__`` and ``__getitem__``.
        batch_size: samples per batch; None gives the samples themselves.
        shuffle: a new random order each time (bolide.manual_seed decides it).
        sampler: indices in the wanted order; excludes shuffle.
        batch_sampler: lists of indices; excludes batch_size, shuffle, sampler and drop_last.
        num_workers: threads that fetch ahead; 0 fetches in the caller.
        collate_fn: list of samples to batch; ``default_collate`` when left out.
        pin_memory: accepted for PyTorch's sake, without effect.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker's batch; 0 waits for ever.
        worker_init_fn: called with the worker's number when it starts.
        prefetch_factor: batches that each worker may be ahead, 2 when left out.
        persistent_workers: accepted; threads are cheap to start.
        generator: for the random order.

    Raises:
        ValueError: arguments that exclude each other or are out of range.
        RuntimeError: no batch within ``timeout``.
        Whatever the data set raises, in a worker too, with the worker's traceback.

    Example:
        >>> data = TensorDataset(bolide.arange(5))
        >>> [batch.tolist() for batch, in DataLoader(data, batch_size=2)]
        [[0, 1], [2, 3], [4]]

    Reference: torch.utils.data.DataLoader.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        generator: Any = None,
    ) -> None:
        if not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"[DataLoader] expected a dataset with __getitem__, got {type(dataset).__name__}."
            )
        if not isinstance(num_workers, int) or num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to disable it, "
                f"got {num_workers}"
            )
        if not timeout >= 0:
            raise ValueError(f"timeout option should be non-negative, got {timeout}")
        if prefetch_factor is not None and (num_workers == 0 or prefetch_factor < 1):
            raise ValueError(
                "prefetch_factor option should be positive and only be given with num_workers > 0, "
                f"got {prefetch_factor} with num_workers={num_workers}"
            )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                    "sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )
        if sampler is None:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_collate if batch_sampler is not None else _as_is)
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.prefetch_factor = prefetch_factor or (2 if num_workers else 0)
        self.persistent_workers = persistent_workers
        self.generator = generator

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers:
            from bolide.utils.data.workers import iterate

            return iterate(self)
        return map(self._fetch, self._requests())

    def _requests(self) -> Iterable:
        """What to fetch, in order: lists of indices, or single indices without batching."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetch(self, request: Any) -> Any:
        dataset = self.dataset
        if self.batch_sampler is None:
            return self.collate_fn(dataset[request])
        if self.collate_fn is default_collate and hasattr(dataset, "fetch_batch"):
            return dataset.fetch_batch(request)
        if hasattr(dataset, "__getitems__"):
            return self.collate_fn(dataset.__getitems__(request))
        return self.collate_fn([dataset[index] for index in request])


def _as_is(sample: Any) -> Any:
    return sample


class WorkerInfo:
    """What a data set can ask about the thread it runs in: its ``id``, ``num_workers`` and
    ``dataset``.
    """

    def __init__(self, id: int, num_workers: int, dataset: Any) -> None:
        self.id = id
        self.num_workers = num_workers
        self.dataset = dataset


def get_worker_info() -> WorkerInfo | None:
    """The WorkerInfo of the thread that asks, None in the main thread. Reference:
    torch.utils.data.get_worker_info.
    """
    import sys

    workers = sys.modules.get("bolide.utils.data.workers")
    return None if workers is None else getattr(workers.current, "info", None)
