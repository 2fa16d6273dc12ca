#!/usr/bin/env bash
# devinterp 1.3.2: the learning coefficient of a network in evaluation mode is estimated on another function, its training mode.
#
# Chains that do not move have E[L(w)] = L(w*), and so a local learning coefficient of 0, whatever the network.  Here they do not
# move (step size 1e-12), the networks are given in evaluation mode, and L(w*) is passed on as `init_loss`.  One would expect 0.
# But the sampler works on a copy that it puts into training mode: BatchNorm normalises with the minibatch's own statistics, and
# dropout drops, so that every "draw" is the loss of another function.  The network that was given comes back as it was, in
# evaluation mode and with its running statistics, so that nothing about it shows what has happened; no warning is given.
#
# Seen with devinterp 1.3.2, torch 2.13.0, Python 3.11, nbeta = 10: -1.386 for BatchNorm (a coefficient cannot be negative at a
# minimum; here it is an artefact of the mode alone), and +10.2 for dropout 0.5, where 0 is right in both cases.
# What helps: a subclass whose `train` does nothing, made before the network is handed over.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 devinterp==1.3.2
"$folder/venv/bin/python" - <<'PY'
import warnings

import torch

warnings.simplefilter("ignore")
from devinterp.optim.sgmcmc import SGMCMC  # noqa: E402
from devinterp.slt.sampler import estimate_learning_coeff_with_summary  # noqa: E402

NBETA = 10.0
torch.manual_seed(0)
inputs, targets = torch.randn(256, 4) + 3.0, torch.randn(256, 2)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), batch_size=256)


def evaluate(network, batch):
    return torch.nn.functional.mse_loss(network(batch[0]), batch[1])


class Held(torch.nn.Sequential):
    """Stays in the mode that it is in."""

    def train(self, mode=True):
        return self


def still(network):
    """The estimate from chains that stay where they are."""
    at_start = evaluate(network, (inputs, targets)).item()
    found = estimate_learning_coeff_with_summary(
        network, loader=loader, evaluate=evaluate, sampling_method=SGMCMC.sgld, init_loss=at_start, num_draws=20, num_chains=1,
        optimizer_kwargs={"lr": 1e-12, "localization": 1.0, "nbeta": NBETA}, seed=3, device="cpu", cores=1, verbose=False,
    )
    return NBETA * (float(found["loss/trace"].mean()) - at_start)


def layers(kind):
    torch.manual_seed(1)
    if kind == "BatchNorm":
        return [torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)]
    return [torch.nn.Linear(4, 64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 2)]


seen = {}
for kind in ("BatchNorm", "dropout"):
    network = torch.nn.Sequential(*layers(kind)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    seen[kind] = still(network)
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    held = Held(*layers(kind))
    for module in held.modules():
        module.training = False
    assert abs(still(held)) < 1e-2, still(held)
    print(f"{kind}: {seen[kind]:+.3f} where 0 is right; held in evaluation mode: {still(held):+.1e}")
assert abs(seen["BatchNorm"] + 1.386) < 0.02, seen
assert seen["dropout"] > 5, seen
PY
echo "as described"
