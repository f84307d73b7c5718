"""Uses an installed bolide from outside the source tree: what a person's first minute would find broken."""

import os
import sys
from pathlib import Path

assert not any((Path(folder) / "bolide").is_symlink() for folder in sys.path), (
    "a build tree is on sys.path"
)

import bolide  # noqa: E402 - the check above comes first

assert "numpy" not in sys.modules, "import bolide imported NumPy"
assert len(os.listdir("/proc/self/task")) == 1, "import bolide started a thread"
assert "openblas" not in Path("/proc/self/maps").read_text(), "import bolide opened OpenBLAS"
package = Path(bolide.__file__).parent
assert "site-packages" in package.parts, package
assert (package / "libbolide.so").exists()
assert not list(package.glob("*emulated*")), "the emulated device is for tests only"

x = bolide.randn(64, 64, requires_grad=True)
(x @ x.t()).tanh().sum().backward()
assert x.grad is not None and x.grad.shape == x.shape

model = bolide.nn.Sequential(bolide.nn.Linear(8, 8), bolide.nn.ReLU(), bolide.nn.Linear(8, 1))
optimizer = bolide.optim.Adam(model.parameters(), lr=1e-2)
inputs = bolide.randn(32, 8)
losses = []
for _ in range(50):
    loss = (model(inputs) - inputs[:, :1]).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0] / 2, losses

large = bolide.ones(1024, 1024)
assert (large @ large)[0, 0].item() == 1024
print(
    f"bolide {bolide.__version__} from {package.name}/ works: the loss fell from {losses[0]:.3f} to {losses[-1]:.3f}"
)
