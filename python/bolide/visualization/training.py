"""One PNG of a training run of a classifier: learning curves above, test images with predictions
below.
"""

from __future__ import annotations

import os

from bolide._C import Tensor
from bolide.io.files import AtomicFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_RIGHT, _WRONG = "#1a7f37", "#cf222e"
_COLUMNS = 8


def training_report(
    path: str | os.PathLike,
    history: Sequence[dict[str, float]],
    images: Tensor,
    labels: Tensor,
    predictions: Tensor,
    classes: Sequence[str],
    wrong_rows: int = 2,
) -> None:
    """Draw the learning curves and a grid of images with their predictions, right and wrong ones,
    into a PNG.

    Args:
        path: the file to write; it appears whole or not at all.
        history: one dictionary per epoch with the same keys; those that end in "loss" share the
            left curve, those that end in "accuracy" the right one.
        images: [N, H, W], any dtype.
        labels, predictions: integers [N], indices into ``classes``.
        classes: the names.
        wrong_rows: how many of the grid's four rows show wrong predictions, when there are so many.

    Raises:
        ImportError: matplotlib is missing; the text says how to install it.
        ValueError: the sizes differ, or the history is empty.

    Example:
        >>> history = [{"loss": 0.5, "accuracy": 0.8}]
        >>> training_report("run.png", history, images, labels, predictions, names)
    """
    if not history:
        raise ValueError("[training_report] expected at least one epoch in the history, got none.")
    if images.ndim != 3 or not images.shape[0] == labels.shape[0] == predictions.shape[0]:
        raise ValueError(
            "[training_report] expected images [N, H, W], labels [N] and predictions [N], "
            f"got {list(images.shape)}, {list(labels.shape)} and {list(predictions.shape)}."
        )
    figure = _figure()
    upper, lower = figure.subfigures(2, 1, height_ratios=[2, 5])
    _draw_curves(upper, history)
    labels_list, predictions_list = labels.tolist(), predictions.tolist()
    chosen = _choose(labels_list, predictions_list, wrong_rows * _COLUMNS, 4 * _COLUMNS)
    _draw_grid(lower, chosen, images, labels_list, predictions_list, classes)
    with AtomicFile(path) as output:
        figure.savefig(output.file, format="png", dpi=110)


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure  # not pyplot: no window system and no global state
    except ImportError as error:
        raise ImportError(
            "[bolide.visualization] expected matplotlib, got none. Install it with: pip install "
            "matplotlib"
        ) from error
    return Figure(figsize=(12, 11), layout="constrained")


def _draw_curves(area: Any, history: Sequence[dict[str, float]]) -> None:
    epochs = range(1, len(history) + 1)
    for axes, ending in zip(area.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key in (key for key in history[0] if key.endswith(ending)):
            axes.plot(
                epochs, [epoch[key] for epoch in history], marker="o", label=key.replace("_", " ")
            )
        axes.set_xlabel("epoch")
        axes.set_xticks(list(epochs)[:: max(1, len(history) // 10)])
        axes.set_title(ending)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()


def _choose(labels: list[int], predictions: list[int], wrong: int, total: int) -> list[int]:
    """Numbers of the images to show: right ones first, then up to ``wrong`` wrong ones."""
    hits = [number for number, label in enumerate(labels) if predictions[number] == label]
    misses = [number for number, label in enumerate(labels) if predictions[number] != label]
    shown_misses = misses[: max(wrong, total - len(hits))]
    return hits[: total - len(shown_misses)] + shown_misses


def _draw_grid(
    area: Any,
    chosen: list[int],
    images: Tensor,
    labels: list[int],
    predictions: list[int],
    classes: Sequence[str],
) -> None:
    wrong = sum(predictions[number] != label for number, label in enumerate(labels))
    area.suptitle(
        f"{len(labels) - wrong} of {len(labels)} right; in red the wrong ones (with the true class)"
    )
    rows = max(1, -(-len(chosen) // _COLUMNS))
    for axes in area.subplots(rows, _COLUMNS, squeeze=False).flat:
        axes.set_axis_off()
    for axes, number in zip(area.axes, chosen, strict=False):
        right = predictions[number] == labels[number]
        text = classes[predictions[number]]
        axes.imshow(images[number].tolist(), cmap="gray_r")
        axes.set_title(
            text if right else f"{text}\n({classes[labels[number]]})",
            fontsize=9,
            color=_RIGHT if right else _WRONG,
        )
