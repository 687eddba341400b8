"""Optimisers without PyTorch's compiler: the same weights, and no import of it."""

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pseudocohort.generators.engine import optimisers  # noqa: E402

KINDS = [("AdamW", {"fused": True}), ("AdamW", {}), ("Adam", {"fused": True, "betas": (0.5, 0.9)}), ("RMSprop", {})]


def trained(kind: type, settings: dict) -> torch.Tensor:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(5, 3), torch.randn(7, 5)
    optimiser = kind(layer.parameters(), lr=0.01, **settings)
    for _ in range(10):
        optimiser.zero_grad()
        layer(x).square().sum().backward()
        optimiser.step()
        optimiser.load_state_dict(optimiser.state_dict())
    return layer.weight.detach()


@pytest.mark.parametrize(("name", "settings"), KINDS)
def test_weights_are_those_of_pytorch_to_the_last_bit(name: str, settings: dict) -> None:
    torchs = trained(getattr(torch.optim, name), settings)
    assert torch.equal(trained(getattr(optimisers, name), settings), torchs)


def test_training_does_not_import_the_compiler() -> None:
    code = (
        "import sys; from test_optimisers import KINDS, trained, optimisers\n"
        "for name, settings in KINDS: trained(getattr(optimisers, name), settings)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    path = [*sys.path, str(Path(__file__).parent)]
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path[:] = {path!r}\n{code}"], check=False)
    assert done.returncode == 0
