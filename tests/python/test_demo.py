"""examples/fashion_mnist.py: it learns, it cannot learn shuffled labels, and its weights can be
loaded again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import bolide
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytest.importorskip("tqdm")
pytest.importorskip("matplotlib")

RELOAD = """
import json, sys
from fashion_mnist import evaluate, make_model
from bolide.datasets import fashion_mnist
from bolide.io import load_safetensors, read_safetensors_header
model = make_model()
model.load_state_dict(load_safetensors(sys.argv[1]))
images, labels = (tensor[:int(sys.argv[2])] for tensor in fashion_mnist(train=False))
saved = float(read_safetensors_header(sys.argv[1])[1]["test_accuracy"])
print(json.dumps([saved, evaluate(model, images, labels, "cpu")[1]]))
"""


@pytest.fixture(scope="module")
def demo():
    try:
        bolide.datasets.fashion_mnist(train=False)
    except OSError as error:
        pytest.skip(f"Fashion-MNIST is not here: {error}")
    sys.path.insert(0, str(EXAMPLES))
    try:
        import fashion_mnist
    finally:
        sys.path.remove(str(EXAMPLES))
    return fashion_mnist


def test_a_short_training_learns_and_its_weights_load_in_a_new_process(demo, tmp_path, capsys):
    limit = 2000
    accuracy = demo.main(
        ["--epochs", "2", "--limit", str(limit), "--output", str(tmp_path / "run")]
    )
    assert accuracy > 0.6  # chance is 0.1
    printed = capsys.readouterr()
    assert "Training on cpu" in printed.out
    assert "images/s" in printed.err
    assert sorted(os.listdir(tmp_path / "run")) == [
        "fashion_mnist.png",
        "fashion_mnist.safetensors",
    ]
    assert (tmp_path / "run" / "fashion_mnist.png").read_bytes().startswith(b"\x89PNG\r\n")

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")]),
    }
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            RELOAD,
            str(tmp_path / "run" / "fashion_mnist.safetensors"),
            str(limit),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(output) == [accuracy, accuracy]


def test_shuffled_labels_stay_at_chance(demo, tmp_path):
    options = ["--epochs", "2", "--limit", "2000", "--shuffle-labels", "--output", str(tmp_path)]
    # 2,000 test images of ten classes: five standard deviations of guessing are 0.034, and a net
    # that has learnt noise guesses less evenly
    assert 0.04 < demo.main(options) < 0.16


def test_bad_arguments(demo, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--epochs", "0"])
    assert "at least 1, got 0 and None" in capsys.readouterr().err


def test_the_picture_needs_matplotlib_and_says_so(demo, monkeypatch, tmp_path):
    from bolide.visualization import training_report

    images, labels = bolide.zeros(4, 28, 28), bolide.tensor([0, 1, 2, 3])
    history = [{"loss": 1.0, "accuracy": 0.5}]
    with pytest.raises(ValueError, match=r"got \[4, 28, 28\], \[4\] and \[3\]"):
        training_report(tmp_path / "x.png", history, images, labels, labels[:3], "abcd")
    with pytest.raises(ValueError, match="at least one epoch"):
        training_report(tmp_path / "x.png", [], images, labels, labels, "abcd")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        training_report(tmp_path / "x.png", history, images, labels, labels, "abcd")
    assert os.listdir(tmp_path) == []


def test_the_picture_with_only_right_predictions(demo, tmp_path):
    from bolide.visualization import training_report

    labels = bolide.tensor([0, 1, 2])
    training_report(
        tmp_path / "x.png", [{"loss": 1.0}], bolide.zeros(3, 28, 28), labels, labels, "abc"
    )
    assert (tmp_path / "x.png").stat().st_size > 1000
