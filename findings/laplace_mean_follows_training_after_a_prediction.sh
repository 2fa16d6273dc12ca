#!/usr/bin/env bash
# laplace-torch 0.3: after one prediction by sampling, a posterior's mean is the network's own memory, and moves with training.
#
# A Laplace approximation is fitted at a checkpoint: mean = the weights there, curvature = the curvature there.  Then training goes
# on, and the approximations of all checkpoints are compared.  One would expect the mean to stay, and it does, as long as nothing
# was predicted by sampling weights (`pred_type="nn"`, or `functional_samples`).  That puts samples into the network and, at the end,
# the mean back, by `torch.nn.utils.vector_to_parameters`, which says that it copies the vector's slices and in fact makes the
# parameters views of the vector.  From then on optimisers write into `la.mean`: every approximation that was fitted so predicts
# with the newest weights and its own old curvature.  Deep copies of the network, taken to be safe, share nothing and hide it.
#
# The same holds without that package: two networks that are filled from one vector are one network, and a sampler's chain that
# starts at w* so, localised by (w - w*)^2, is not localised at all: w* walks along with it.
#
# Seen with laplace-torch 0.3, torch 2.13.0, numpy 2.4.6, Python 3.11: after ten more epochs the mean of the first checkpoint is,
# to the last bit, the last one's; a chain from a vector stays at distance 0 from "w*".
# What helps: `vector_to_parameters(vector.clone(), ...)`; here `la.mean = la.mean.clone()` after every prediction.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 laplace-torch==0.3
# It comes along, may be of another build than torch (CPU or CUDA), which breaks every import, and is not needed here.
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision
"$folder/venv/bin/python" - <<'PY'
import warnings
from importlib.metadata import version

import torch

warnings.simplefilter("ignore")
from laplace import Laplace  # noqa: E402
from torch.nn.utils import parameters_to_vector, vector_to_parameters  # noqa: E402

print("laplace-torch", version("laplace-torch"), "torch", torch.__version__)
torch.set_num_threads(1)
torch.manual_seed(0)
inputs = torch.randn(200, 3)
targets = (inputs[:, 0] + 0.5 * torch.randn(200) > 0).long()
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), batch_size=50)


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def train(net, epochs):
    optimiser = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(epochs):
        for batch, labels in loader:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(batch), labels).backward()
            optimiser.step()


def followed(structure, predicted, helped=False):
    """How far the mean has gone after ten more epochs, and how far the network."""
    net = network()
    train(net, 5)
    la = Laplace(net, "classification", subset_of_weights="all", hessian_structure=structure)
    la.fit(loader)
    at_fit = la.mean.clone()
    if predicted:
        la(inputs[:10], pred_type="nn", link_approx="mc", n_samples=5)
    if helped:
        la.mean = la.mean.clone()
    train(net, 10)
    now = parameters_to_vector(net.parameters()).detach()
    return float((la.mean - at_fit).norm()), float((now - at_fit).norm())


for structure in ("diag", "kron", "full"):
    stays, follows = followed(structure, False), followed(structure, True)
    helped = followed(structure, True, helped=True)
    print(f"{structure}: the network went {follows[1]:.3f}; its mean of ten epochs ago {stays[0]:.3f}, "
          f"with one prediction in between {follows[0]:.3f}, with that and a clone {helped[0]:.3f}")
    assert stays[0] == helped[0] == 0.0
    assert follows[0] == follows[1] > 0.3, "the mean stays where it was fitted"


def chain(copied):
    """Distance of a localised chain from w* after 2,000 steps on a flat loss, by itself and by what it takes for w*."""
    torch.manual_seed(2)
    net = network()
    start = parameters_to_vector(net.parameters()).detach().clone()
    anchor = start.clone()
    vector_to_parameters(anchor.clone() if copied else anchor, net.parameters())
    parts = anchor.split([parameter.numel() for parameter in net.parameters()])
    with torch.no_grad():
        for _ in range(2000):
            for parameter, part in zip(net.parameters(), parts, strict=True):
                pull = parameter - part.view_as(parameter)
                parameter.add_(-0.5 * 0.01 * 100 * pull + 0.1 * torch.randn_like(parameter))
    now = parameters_to_vector(net.parameters()).detach()
    return float((now - anchor).norm()), float((now - start).norm()) / len(now) ** 0.5


shared, own = chain(copied=False), chain(copied=True)
print(f"chain: from what it takes for w* {shared[0]:.3f}, from w* {shared[1]:.2f} a weight; "
      f"with a clone {own[0]:.3f}, {own[1]:.2f} a weight")
assert shared[0] == 0.0 and shared[1] > 3
assert own[1] < 0.2
PY
echo "as described"
