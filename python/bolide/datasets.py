"""Data sets to learn with, found on this machine or downloaded once.

Fashion-MNIST is looked for in the folder given, in the Debian package dataset-fashion-mnist, and in
the cache folder ($BOLIDE_CACHE, else $XDG_CACHE_HOME/bolide, else ~/.cache/bolide); otherwise it is
downloaded there. A download is used only when its unpacked bytes have the SHA-256 below.
"""

from __future__ import annotations

import os

import bolide
from bolide._C import Tensor
from bolide.io.errors import FileFormatError
from bolide.io.files import AtomicFile
from bolide.io.idx import read_idx

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
_SOURCES = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
)
# file name up to "-ubyte.gz": SHA-256 of the unpacked bytes,
# as gzip's own header differs between the places that offer the files
_SHA256 = {
    "train-images-idx3": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_MOST_BYTES = 64 << 20  # no file of the set is larger, packed or not
_TIMEOUT = 30  # seconds without a byte


def fashion_mnist(
    train: bool = True, folder: str | os.PathLike | None = None
) -> tuple[Tensor, Tensor]:
    """The 60,000 training or 10,000 test images of Fashion-MNIST and their classes.

    Args:
        train: the training images; False gives the test images.
        folder: where the four .gz files are; looked for, else downloaded, when left out.

    Returns:
        Images, uint8 [N, 28, 28], and labels, int64 [N] below 10 (names: FASHION_MNIST_CLASSES).

    Raises:
        FileFormatError (a ValueError): a file is damaged or images and labels do not fit each
        other.
        OSError: not found, and the download failed; the text says what to do.

    Example:
        >>> images, labels = bolide.datasets.fashion_mnist()
        >>> images.shape
        bolide.Size([60000, 28, 28])

    Reference: Xiao, Rasul and Vollgraf, 2017, https://github.com/zalandoresearch/fashion-mnist
    """
    part = "train" if train else "t10k"
    images = read_idx(_locate(f"{part}-images-idx3-ubyte.gz", folder))
    labels = read_idx(_locate(f"{part}-labels-idx1-ubyte.gz", folder))
    if (
        images.ndim != 3
        or tuple(images.shape[1:]) != (28, 28)
        or tuple(labels.shape) != (images.shape[0],)
    ):
        raise FileFormatError(
            "[fashion_mnist] expected images [N, 28, 28] and labels [N], "
            f"got {list(images.shape)} and {list(labels.shape)}."
        )
    labels = labels.to(bolide.int64)
    largest = labels.max().item() if labels.numel() else 0
    if largest > 9:
        raise FileFormatError(f"[fashion_mnist] expected labels below 10, got {largest}.")
    return images, labels


def _cache_folder() -> str:
    chosen = os.environ.get("BOLIDE_CACHE")
    if chosen:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "bolide")


def _locate(name: str, folder: str | os.PathLike | None) -> str:
    if folder is not None:
        return os.path.join(folder, name)
    cache = os.path.join(_cache_folder(), "fashion-mnist")
    for place in (_DEBIAN_FOLDER, cache):
        path = os.path.join(place, name)
        if os.path.exists(path):
            return path
    os.makedirs(cache, exist_ok=True)
    path = os.path.join(cache, name)
    failures = []
    for source in _SOURCES:
        try:
            _download(source + name, path, _SHA256[name.removesuffix("-ubyte.gz")])
            return path
        except (OSError, ValueError) as error:
            failures.append(f"{source}: {error}")
    raise OSError(
        f"[fashion_mnist] {name} is not on this machine and could not be downloaded "
        f"({'; '.join(failures)}). "
        "Install Debian's dataset-fashion-mnist, or put the four .gz files into " + cache
    )


def _download(url: str, path: str, sha256: str) -> None:
    import hashlib
    import urllib.request
    import zlib

    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        packed = response.read(_MOST_BYTES + 1)
    try:
        # never more than _MOST_BYTES, whatever the file claims
        unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise FileFormatError(
            f"[fashion_mnist] {url}: expected a .gz file, got {error}."
        ) from error
    found = hashlib.sha256(unpacked).hexdigest()
    if found != sha256:
        raise FileFormatError(f"[fashion_mnist] {url}: expected SHA-256 {sha256}, got {found}.")
    with AtomicFile(path) as output:
        output.file.write(packed)
