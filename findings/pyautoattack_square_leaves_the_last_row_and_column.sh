#!/usr/bin/env bash
# pyautoattack 0.2.0: the patches of Square never lie on the last row or the last column, so that "robust" can mean "not tried".
#
# Square (Andriushchenko et al. 2020, arXiv 1912.00049, algorithm 2) places patches of side s at r, c drawn from 0, ..., w - s.
# The package, the authors' code, draws with torch's upper end, which is exclusive, at w - s.  So a patch ends one pixel before the
# border.  In the L-infinity attack only the first stripes, drawn once and with one sign a column, ever touch the last column.
#
# Networks here look at one pixel alone: 200 images whose pixel is 0.05 from the decision, epsilon 0.1, 2,000 queries.  One would
# expect the same success wherever that pixel is, and none that survives.  All fall when it is in the middle or in the first corner;
# in the last column half of them survive: those whose stripe had the wrong sign.  Nothing says so.
#
# Seen with pyautoattack 0.2.0, torch 2.13.0, Python 3.11.  Images with objects at the border, small images (on 8 x 8 digits the
# last row and column are a quarter of the image) and anything that is not centred look more robust to Square than they are.
# What helps: padding images with one row and column that the network cuts off again, which the last run here does.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 pyautoattack==0.2.0
"$folder/venv/bin/python" - <<'PY'
import torch
from pyautoattack.square import SquareAttack

torch.manual_seed(0)
COUNT, SIDE = 200, 8
images, labels = torch.full((COUNT, 1, SIDE, SIDE), 0.55), torch.zeros(COUNT, dtype=torch.long)


def network(row, column):
    """Class 0 where that pixel is above 0.5, else class 1."""

    def logits(batch):
        score = 10 * (batch[:, 0, row, column] - 0.5)
        return torch.stack([score, torch.zeros_like(score)], dim=1)

    return logits


def survivors(model, batch):
    """Share of images that stay correct."""
    attack = SquareAttack(model, norm="Linf", eps=0.1, n_queries=2000, seed=0, device="cpu")
    found = attack.perturb(batch, labels[: len(batch)])
    assert float((found - batch).abs().max()) < 0.1 + 1e-6
    return float((model(found).argmax(1) == 0).float().mean())


def padded(model):
    """The same network on images with one more row and column, which it does not look at."""
    return lambda batch: model(batch[:, :, :-1, :-1])


seen = {place: survivors(network(*place), images) for place in ((0, 0), (4, 4), (7, 4), (4, 7), (7, 7))}
for place, share in seen.items():
    print(f"pixel {place}: {share:.1%} survive")
helped = survivors(padded(network(7, 7)), torch.nn.functional.pad(images, (0, 1, 0, 1), value=0.55))
print(f"pixel (7, 7), images padded by one: {helped:.1%} survive")
assert seen[0, 0] == seen[4, 4] == 0
assert 0.35 < seen[7, 7] < 0.65 and 0.35 < seen[4, 7] < 0.65, seen
assert helped == 0
PY
echo "as described"
