#!/usr/bin/env bash
# curvlinops 3.0.1: Fisher, Kronecker factors and empirical Fisher count the targets that the loss is told to ignore.
#
# Sequences of different lengths are filled up, and the positions behind their ends have the target -100, which
# `CrossEntropyLoss` leaves out of sum and mean.  One would expect the curvature of that loss, as with the padding cut off.  The exact
# Hessian and Gauss-Newton matrix of one batch are that.  But the Monte-Carlo Fisher and the Kronecker factors (KFAC, EKFAC) rest
# on the network's own output, at padding as well, as if it were data; the empirical Fisher takes the mean over all positions where
# the loss takes it over those that count, and is too large by their quotient.  In several batches Hessian and Gauss-Newton are weighted by
# positions, padding or not, so that they depend on which sequences share a batch: here sorted by length, as loaders do it.
# The same happens with `weight`.  BackPACK refuses both; here nothing is said, and the check for deterministic data passes.
#
# Softmax regression on 40 sequences of up to 12 positions; padding has inputs of 0.  The traces are known by hand, with |x|^2 + 1 for
# weights and bias: the mean over positions that count of (1 - sum p^2) (|x|^2 + 1) for all but the empirical Fisher, whose is
# |p - y|^2 (|x|^2 + 1).
#
# Seen with curvlinops-for-pytorch 3.0.1, torch 2.13.0, numpy 2.4.6, Python 3.11: Fisher and EKFAC at 0.65 times, the empirical
# Fisher at 1.64 times what they should be; Hessian and Gauss-Newton in ten batches at 0.87 times.
# What helps: to hand over the positions that count as the data, which makes all of them right.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 curvlinops-for-pytorch==3.0.1
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import curvlinops
import torch

print("curvlinops", version("curvlinops-for-pytorch"), "torch", torch.__version__)
torch.set_num_threads(1)
torch.manual_seed(0)
SEQUENCES, LENGTH, WIDTH, CLASSES, BATCH = 40, 12, 3, 4, 4
lengths = torch.randint(2, LENGTH + 1, (SEQUENCES,)).sort().values
counts = torch.arange(LENGTH) < lengths[:, None]
network = torch.nn.Linear(WIDTH, CLASSES).double()
inputs = torch.randn(SEQUENCES, LENGTH, WIDTH, dtype=torch.float64) * (1 + lengths[:, None, None] / 6) * counts[..., None]
targets = torch.randint(0, CLASSES, (SEQUENCES, LENGTH)).masked_fill(~counts, -100)

padded = [(inputs.flatten(0, 1), targets.flatten())]
batched = [(x.flatten(0, 1), y.flatten()) for x, y in zip(inputs.split(BATCH), targets.split(BATCH), strict=True)]
cut = [(inputs[counts], targets[counts])]

with torch.no_grad():
    p = network(inputs).softmax(-1)
    size = inputs.square().sum(-1) + 1
    spread = (1 - p.square().sum(-1)) * size
    distance = (p - torch.nn.functional.one_hot(targets.clamp_min(0), CLASSES)).square().sum(-1) * size
right = {"curvature": float(spread[counts].mean()), "empirical": float(distance[counts].mean())}
by_batch = float(torch.stack([s[c].mean() for s, c in zip(spread.split(BATCH), counts.split(BATCH), strict=True)]).mean())


def trace(name, data, **settings):
    operator = getattr(curvlinops, name)(network, torch.nn.CrossEntropyLoss(), list(network.parameters()), data, **settings)
    return float((operator @ torch.eye(operator.shape[1], dtype=torch.float64)).trace())


kinds = {  # what the trace should be, and what it is, in one batch and in several
    "HessianLinearOperator": ({}, right["curvature"], right["curvature"], by_batch),
    "GGNLinearOperator": ({}, right["curvature"], right["curvature"], by_batch),
    "FisherMCLinearOperator": ({"mc_samples": 300}, right["curvature"], float(spread.mean()), float(spread.mean())),
    "EKFACLinearOperator": ({"fisher_type": "type-2"}, right["curvature"], float(spread.mean()), float(spread.mean())),
    "EFLinearOperator": ({}, right["empirical"], right["empirical"] * counts.numel() / int(counts.sum()), None),
}
print(f"{int(counts.sum())} of {counts.numel()} positions count")
for name, (settings, should, seen, seen_batched) in kinds.items():
    found = {kind: trace(name, data, **settings) for kind, data in (("cut", cut), ("padded", padded), ("batches", batched))}
    print(name, ", ".join(f"{kind} {value / should:.3f}" for kind, value in found.items()), f"of the {should:.3f} that is right")
    close = 0.03 if "MC" in name else 1e-6  # 300 labels a position
    assert abs(found["cut"] / should - 1) < close
    assert abs(found["padded"] / seen - 1) < close, "padding is left out now"
    assert seen_batched is None or abs(found["batches"] / seen_batched - 1) < close
assert spread.mean() < 0.8 * right["curvature"] and by_batch < 0.97 * right["curvature"]
PY
echo "as described"
