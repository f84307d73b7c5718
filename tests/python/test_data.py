"""bolide.utils.data: data sets, samplers, batches, and threads that fail, hang or are left."""

import subprocess
import sys
import textwrap
import threading
import traceback
from collections import namedtuple

import bolide
import pytest
from bolide.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
    random_split,
)

WORKERS = pytest.mark.parametrize("num_workers", [0, 3])


class Numbers(Dataset):
    """0 to size - 1; the sample ``bad`` raises, and ``gate`` is waited for before each sample."""

    def __init__(self, size, bad=None, gate=None):
        self.size, self.bad, self.gate = size, bad, gate

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if self.gate is not None:
            self.gate.wait(30)
        if index == self.bad:
            raise LookupError(f"no sample {index}")
        return index


def lists(loader):
    return [batch.tolist() for batch in loader]


# ---- data sets -----------------------------------------------------------------------------------


def test_tensor_dataset():
    data = TensorDataset(bolide.arange(6).reshape(3, 2), bolide.arange(3))
    assert len(data) == 3
    assert [part.tolist() for part in data[1]] == [[2, 3], 1]
    assert [part.tolist() for part in data.fetch_batch([2, 0])] == [[[4, 5], [0, 1]], [2, 0]]
    with pytest.raises(ValueError, match=r"equal first sizes, got \[3, 2\]"):
        TensorDataset(bolide.zeros(3), bolide.zeros(2))
    with pytest.raises(ValueError, match="at least one tensor"):
        TensorDataset()


def test_subset_and_random_split():
    bolide.manual_seed(0)
    parts = random_split(Numbers(10), [7, 3])
    assert [len(part) for part in parts] == [7, 3]
    assert sorted([*parts[0], *parts[1]]) == list(range(10))
    assert [len(part) for part in random_split(Numbers(11), [0.5, 0.3, 0.2])] == [6, 3, 2]
    assert Subset(Numbers(5), [4, 2])[1] == 2
    with pytest.raises(
        ValueError, match="does not equal the length of the input dataset: 9 and 10"
    ):
        random_split(Numbers(10), [7, 2])
    with pytest.raises(ValueError, match=r"not between 0 and 1, got 1.5"):
        random_split(Numbers(10), [1.5, -0.5])


def test_subset_fetches_whole_batches_only_where_the_data_can():
    assert hasattr(Subset(TensorDataset(bolide.arange(3)), [0]), "fetch_batch")
    assert not hasattr(Subset(Numbers(3), [0]), "fetch_batch")
    (batch,) = DataLoader(Subset(TensorDataset(bolide.arange(9)), [8, 1, 5]), batch_size=3)
    assert batch[0].tolist() == [8, 1, 5]


# ---- samplers ------------------------------------------------------------------------------------


def test_samplers():
    assert list(SequentialSampler(Numbers(4))) == [0, 1, 2, 3]
    bolide.manual_seed(1)
    first = list(RandomSampler(Numbers(100)))
    second = list(RandomSampler(Numbers(100)))
    bolide.manual_seed(1)
    assert list(RandomSampler(Numbers(100))) == first
    assert first != second
    assert sorted(first) == list(range(100))
    drawn = list(RandomSampler(Numbers(3), replacement=True, num_samples=50))
    assert len(drawn) == 50
    assert set(drawn) == {0, 1, 2}
    assert len(list(RandomSampler(Numbers(3), num_samples=7))) == 7
    assert list(BatchSampler(range(5), 2, drop_last=False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="batch_size=0"):
        BatchSampler(range(5), 0, False)
    with pytest.raises(ValueError, match="num_samples=-1"):
        RandomSampler(Numbers(3), num_samples=-1)


# ---- batches -------------------------------------------------------------------------------------


@WORKERS
def test_batches_in_order(num_workers):
    loader = DataLoader(Numbers(10), batch_size=4, num_workers=num_workers)
    assert lists(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert lists(loader) == lists(loader)
    assert len(loader) == 3
    short = DataLoader(Numbers(10), batch_size=4, num_workers=num_workers, drop_last=True)
    assert lists(short) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(short) == 2
    assert lists(DataLoader(Numbers(0), num_workers=num_workers)) == []


@WORKERS
def test_shuffling_follows_the_seed_and_not_the_threads(num_workers):
    bolide.manual_seed(5)
    expected = lists(DataLoader(Numbers(20), batch_size=6, shuffle=True))
    bolide.manual_seed(5)
    loader = DataLoader(Numbers(20), batch_size=6, shuffle=True, num_workers=num_workers)
    assert lists(loader) == expected
    assert sorted(number for batch in expected for number in batch) == list(range(20))
    assert lists(loader) != expected


@WORKERS
def test_samples_samplers_and_collate_functions(num_workers):
    options = {"num_workers": num_workers}
    assert list(DataLoader(Numbers(3), batch_size=None, **options)) == [0, 1, 2]
    assert lists(DataLoader(Numbers(9), batch_size=2, sampler=[8, 1, 5], **options)) == [
        [8, 1],
        [5],
    ]
    assert lists(DataLoader(Numbers(9), batch_sampler=[[0], [3, 4]], **options)) == [[0], [3, 4]]
    assert list(DataLoader(Numbers(5), batch_size=2, collate_fn=sum, **options)) == [1, 5, 4]
    images = TensorDataset(bolide.zeros(5, 2, 2), bolide.arange(5))
    shapes = [(tuple(x.shape), y.tolist()) for x, y in DataLoader(images, batch_size=3, **options)]
    assert shapes == [((3, 2, 2), [0, 1, 2]), ((2, 2, 2), [3, 4])]


def test_data_sets_that_fetch_many_samples_themselves():
    class Fetching(Numbers):
        def __getitems__(self, indices):
            return [index * 10 for index in indices]

    assert lists(DataLoader(Fetching(4), batch_size=3)) == [[0, 10, 20], [30]]


def test_default_collate():
    Point = namedtuple("Point", "x y")
    assert default_collate([1, 2]).dtype == bolide.int64
    assert default_collate([1.5, 2.0]).dtype == bolide.float64
    assert default_collate([True, False]).tolist() == [True, False]
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([{"a": 1}, {"a": 2}])["a"].tolist() == [1, 2]
    pair = default_collate([(bolide.zeros(2), 1), (bolide.ones(2), 2)])
    assert [part.tolist() for part in pair] == [[[0.0, 0.0], [1.0, 1.0]], [1, 2]]
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert type(point) is Point
    assert point.x.tolist() == [1, 3]
    with pytest.raises(RuntimeError, match=r"equal size, got lengths \[1, 2\]"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="found object"):
        default_collate([object()])


def test_default_collate_of_numpy():
    numpy = pytest.importorskip("numpy")
    assert default_collate([numpy.zeros(2, "f4"), numpy.ones(2, "f4")]).tolist() == [
        [0.0, 0.0],
        [1.0, 1.0],
    ]
    scalars = default_collate([numpy.float32(1.5), numpy.float32(2.5)])
    assert scalars.dtype == bolide.float32
    assert scalars.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"num_workers": -1}, "got -1"),
        ({"timeout": -1}, "got -1"),
        ({"prefetch_factor": 2}, "got 2 with num_workers=0"),
        ({"shuffle": True, "sampler": [0]}, "mutually exclusive with shuffle"),
        ({"batch_size": 2, "batch_sampler": [[0]]}, "mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
    ],
    ids=str,
)
def test_options_that_do_not_fit(options, text):
    with pytest.raises(ValueError, match=text):
        DataLoader(Numbers(3), **options)


def test_something_that_is_no_data_set():
    with pytest.raises(TypeError, match="__getitem__, got int"):
        DataLoader(3)


# ---- threads -------------------------------------------------------------------------------------


@WORKERS
def test_an_error_reaches_the_caller_with_its_traceback(num_workers):
    taken = []
    with pytest.raises(LookupError, match="no sample 5") as caught:
        for batch in DataLoader(Numbers(10, bad=5), batch_size=2, num_workers=num_workers):
            taken.append(batch.tolist())
    assert taken == [[0, 1], [2, 3]]
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise LookupError(f"no sample {index}")' in text
    assert ("Raised in DataLoader worker thread" in text) == (num_workers > 0)


def test_an_error_at_a_workers_start_reaches_the_caller():
    def fail(worker):
        raise OSError(f"worker {worker} has no disk")

    with pytest.raises(OSError, match="has no disk"):
        list(DataLoader(Numbers(4), num_workers=2, worker_init_fn=fail))


def test_workers_know_themselves():
    class Asking(Numbers):
        def __getitem__(self, index):
            info = get_worker_info()
            return (info.id, info.num_workers, info.dataset is self)

    assert get_worker_info() is None
    for worker, count, same in DataLoader(Asking(6), batch_size=None, num_workers=2):
        assert worker in (0, 1)
        assert count == 2
        assert same
    assert get_worker_info() is None


def test_a_worker_that_takes_too_long():
    gate = threading.Event()
    with pytest.raises(
        RuntimeError, match=r"timed out after 0.05 seconds waiting for batch 0 of 1 workers"
    ):
        next(iter(DataLoader(Numbers(4, gate=gate), num_workers=1, timeout=0.05)))
    gate.set()


def test_workers_are_not_further_ahead_than_asked():
    asked = []

    class Counting(Numbers):
        def __getitem__(self, index):
            asked.append(index)
            return index

    batches = iter(DataLoader(Counting(100), batch_size=None, num_workers=2, prefetch_factor=3))
    assert next(batches) == 0
    assert len(asked) <= 6
    batches.close()


def test_threads_end_with_their_run():
    def ours():
        return [thread for thread in threading.enumerate() if thread.name.startswith("bolide-data")]

    before = ours()
    batches = iter(DataLoader(Numbers(100), num_workers=2))
    next(batches)
    threads = [thread for thread in ours() if thread not in before]
    assert len(threads) == 2
    del batches  # abandoned in the middle
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def run_and_wait(body, interrupt=False):
    """Run a program in a process of its own, press Ctrl-C once it says so, and return (exit status,
    stderr).
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "waiting\n", process.communicate()
        if interrupt:
            import signal

            process.send_signal(signal.SIGINT)
        # the data set below sleeps for an hour: coming back at all shows that nobody waits for it
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, errors


STUCK = """
    import signal, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for why see test_interrupts.py
    from bolide.utils.data import DataLoader, Dataset
    class Stuck(Dataset):
        def __len__(self):
            return 4
        def __getitem__(self, index):
            print("waiting", flush=True)
            time.sleep(3600)
"""


def test_ctrl_c_ends_a_wait_for_a_stuck_worker():
    status, errors = run_and_wait(
        STUCK + "    list(DataLoader(Stuck(), num_workers=1))\n", interrupt=True
    )
    assert status != 0
    assert "KeyboardInterrupt" in errors


def test_a_stuck_worker_does_not_keep_the_program_alive():
    body = """
    from bolide.utils.data.workers import iterate
    try:
        next(iterate(DataLoader(Stuck(), num_workers=1, timeout=1)))
    except RuntimeError:
        raise SystemExit(7)
    """
    status, errors = run_and_wait(STUCK + body)
    assert (status, errors) == (7, "")
