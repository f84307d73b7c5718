"""Data sets, samplers and the DataLoader that turns them into batches."""

from bolide.utils.data.collate import default_collate
from bolide.utils.data.dataloader import DataLoader, WorkerInfo, get_worker_info
from bolide.utils.data.dataset import Dataset, Subset, TensorDataset, random_split
from bolide.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "WorkerInfo",
    "default_collate",
    "get_worker_info",
    "random_split",
]
