"""Trains a convolutional network on Fashion-MNIST: 60,000 pictures of clothes in ten classes.

    python examples/fashion_mnist.py --epochs 3 --device cpu --output runs/fashion_mnist

Writes the weights as fashion_mnist.safetensors, and learning curves with test images as
fashion_mnist.png.
"""

import argparse
from pathlib import Path

import bolide
from bolide import nn
from bolide.datasets import FASHION_MNIST_CLASSES, fashion_mnist
from bolide.io import save_safetensors
from bolide.nn.functional import cross_entropy
from bolide.optim.lr_scheduler import CosineAnnealingLR
from bolide.utils.data import DataLoader, TensorDataset
from bolide.visualization import training_report
from tqdm import tqdm


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(128, 10),
    )


def to_input(images, device):
    """Bytes [N, 28, 28] to floats [N, 1, 28, 28] from 0 to 1."""
    return images.to(device).unsqueeze(1).float() / 255


def train_epoch(model, optimizer, schedule, loader, device, title):
    model.train()
    images_seen, loss_sum, hits = 0, 0.0, 0
    with tqdm(total=len(loader.dataset), desc=title, unit=" images") as progress:
        for images, labels in loader:
            labels = labels.to(device)
            logits = model(to_input(images, device))
            loss = cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

            images_seen += len(images)
            loss_sum += loss.item() * len(images)
            hits += (logits.argmax(1) == labels).sum().item()
            progress.update(len(images))
            progress.set_postfix(
                loss=f"{loss_sum / images_seen:.3f}", accuracy=f"{hits / images_seen:.3f}"
            )
    return loss_sum / images_seen, hits / images_seen


def evaluate(model, images, labels, device):
    """Mean loss, accuracy and the predicted classes."""
    model.eval()
    with bolide.no_grad():
        logits = bolide.cat([model(to_input(batch, device)).cpu() for batch in images.split(500)])
        predictions = logits.argmax(1)
        accuracy = (predictions == labels).float().mean().item()
        return cross_entropy(logits, labels).item(), accuracy, predictions


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/fashion_mnist"), help="folder for the results"
    )
    parser.add_argument("--limit", type=int, help="use only so many training and test images")
    parser.add_argument(
        "--shuffle-labels", action="store_true", help="train on wrong labels: nothing can be learnt"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.epochs < 1 or (options.limit is not None and options.limit < 1):
        parser.error(
            f"expected --epochs and --limit of at least 1, got {options.epochs} and {options.limit}"
        )
    return options


def main(arguments=None):
    options = parse_arguments(arguments)
    bolide.manual_seed(options.seed)
    device = bolide.device(options.device)
    name = (
        bolide.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{bolide.get_num_threads()} threads"
    )
    print(f"Training on {device} ({name})")

    images, labels = (tensor[: options.limit] for tensor in fashion_mnist(train=True))
    test_images, test_labels = (tensor[: options.limit] for tensor in fashion_mnist(train=False))
    if options.shuffle_labels:
        labels = labels[bolide.randperm(len(labels))]
    loader = DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True)

    model = make_model().to(device)
    optimizer = bolide.optim.Adam(model.parameters(), lr=2e-3)
    schedule = CosineAnnealingLR(optimizer, T_max=options.epochs * len(loader))
    history = []
    for epoch in range(1, options.epochs + 1):
        loss, accuracy = train_epoch(
            model, optimizer, schedule, loader, device, f"Epoch {epoch}/{options.epochs}"
        )
        test_loss, test_accuracy, predictions = evaluate(model, test_images, test_labels, device)
        print(f"Epoch {epoch}: test loss {test_loss:.3f}, test accuracy {test_accuracy:.4f}")
        history.append(
            {
                "loss": loss,
                "test_loss": test_loss,
                "accuracy": accuracy,
                "test_accuracy": test_accuracy,
            }
        )

    options.output.mkdir(parents=True, exist_ok=True)
    weights, picture = (
        options.output / "fashion_mnist.safetensors",
        options.output / "fashion_mnist.png",
    )
    save_safetensors(model.state_dict(), weights, {"test_accuracy": str(test_accuracy)})
    training_report(picture, history, test_images, test_labels, predictions, FASHION_MNIST_CLASSES)
    print(f"Wrote {weights} and {picture}")
    return test_accuracy


if __name__ == "__main__":
    main()
