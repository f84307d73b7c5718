"""Writes behaviour.json: what PyTorch gives for every line of behaviour.txt. Needs torch."""

import json
import sys
import warnings
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from behaviour import outcome  # noqa: E402

warnings.simplefilter("ignore")
lines = [line.strip() for line in (HERE / "behaviour.txt").read_text().splitlines()]
pairs = [[line, outcome(line, torch)] for line in lines if line and not line.startswith("#")]
text = ",\n".join(json.dumps(pair) for pair in pairs)
(HERE / "behaviour.json").write_text(f"[\n{text}\n]\n")
print(f"{len(pairs)} expressions, torch {torch.__version__}")
