#!/usr/bin/env bash
# Foolbox 3.3.4, L0FMNAttack: inputs of one and the same slope are changed all or none, so that pooling inflates the count.
#
# The attack (Pintor et al. 2021, arXiv 2102.12827) keeps the k largest changes of a perturbation.  The package keeps every change
# that is no smaller than the k-th one: where several are equal, all of them, and k is exceeded.  Ties look like a corner case of
# made-up networks, but average pooling at the entrance makes them: the pixels of a window always have one slope.
#
# Networks here are AvgPool2d(2) and a linear layer on 8 x 8 images of one grey, where a pixel's gain is its slope times its room, so
# that the fewest pixels that flip an image are known: the largest gains first, until the margin is spent.  With 1,000 steps one
# would expect that number, or a few more.  What comes is a multiple of four, the size of a window, in every case, and up to twice
# as many as are needed; more steps change nothing.  Without the pooling, with slopes that differ, the numbers are right.
#
# Seen with Foolbox 3.3.4, torch 2.13.0, numpy 2.4.6, Python 3.11: 4, 8, 4, 12, 4, 12 pixels where 2, 7, 3, 9, 2, 9 are needed.
# What helps: push the changed pixels of what it returns to the bound, then undo them one by one as long as the image stays
# flipped, which is done here, too, and finds the right numbers.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 foolbox==3.3.4
"$folder/venv/bin/python" - <<'PY'
import foolbox
import torch
from torch import nn

GREY = 0.75


def network(weight, share, pooled):
    """Two classes; the first one's margin is `1 - share` of what all pixels together can take away."""
    layers = [nn.AvgPool2d(2)] if pooled else []
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(weight.numel(), 2)).eval()
    with torch.no_grad():
        net[-1].weight.copy_(torch.stack([weight, -weight]))
        net[-1].bias.copy_(torch.tensor([-2 * GREY * float(weight.sum()) * share, 0.0]))
    return net


def fewest(weight, share, pooled):
    gains = 2 * GREY * (weight.repeat_interleave(4) / 4 if pooled else weight)
    spent = gains.sort(descending=True).values.cumsum(0)
    return int((spent <= float(spent[-1]) * (1 - share)).sum()) + 1


def pruned(net, image, adversarial):
    """With changed pixels at the bound, and without those that the flip does not need then."""
    change = (adversarial - image).flatten()
    kept = torch.where(change < -1e-6, 0.0, torch.where(change > 1e-6, 1.0, image.flatten()))
    for place in change.abs().argsort():
        tried = kept.clone()
        tried[place] = GREY
        if net(tried.reshape(1, 1, 8, 8)).argmax() == 1:
            kept = tried
    return kept


def attacked(net):
    image = torch.full((1, 1, 8, 8), GREY)
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L0FMNAttack(steps=1000)
    _, adversarial, flipped = attack(model, image, torch.zeros(1, dtype=torch.long), epsilons=None)
    assert bool(flipped)
    count = lambda other: int((other.flatten() - image.flatten()).abs().gt(1e-6).sum())  # noqa: E731
    with torch.no_grad():
        return count(adversarial), count(pruned(net, image, adversarial))


def cases(pooled):
    for seed in range(3):
        torch.manual_seed(seed)
        weight = 0.1 + 2 * torch.rand(16 if pooled else 64)
        for share in (0.95, 0.8):
            yield (*attacked(network(weight, share, pooled)), fewest(weight, share, pooled))


pooled = list(cases(pooled=True))
plain = list(cases(pooled=False))
print("with pooling (found, pruned, needed):", pooled)
print("without (found, pruned, needed):", plain)
assert all(found % 4 == 0 and found > needed for found, _, needed in pooled), "the count follows the need now"
assert max(found / needed for found, _, needed in pooled) >= 1.9
assert all(found <= needed + 1 for found, _, needed in plain)
assert all(kept == needed for _, kept, needed in pooled)
print("as described")
PY
