#!/usr/bin/env bash
# ART 1.20.1, PGD with norm=1: a pixel that stands at its bound takes the whole budget, so that any radius is as small as one pixel.
#
# Of an attack of L1 radius 40 on images in [0, 1] one would expect that it fools at least what a smaller radius does, and a linear
# network whenever the radius is above what its margin needs, which can be computed by hand: the steepest pixels first, each as far
# as its bound.  (That steps of L1 ascent are wasteful in a box is known; more steps and a larger radius help then.)  Since 1.18
# the step goes to one pixel alone, the one of the largest gradient, whether or not it can still move.  Clipping takes back what
# exceeds the bound, the gradient names the same pixel again, and the attack stands still: here at a change of 0.5 for every
# radius from 0.5 to 40, whatever the number of steps.  "Robust accuracy" is 100 % where 0 % is right.  Without `clip_values` it is
# 0 %, by images with one pixel far below 0; random starts flip none of these images, either.
#
# Seen with adversarial-robustness-toolbox 1.20.1, torch 2.13.0, numpy 2.4.6, Python 3.11.
# What helps: to mask the gradient where it points out of the box before the steepest pixel is chosen, as the last run here does by
# a subclass, or an attack made for the box (Croce & Hein 2021, arXiv 2103.01208).
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 packaging==26.3 \
  adversarial-robustness-toolbox==1.20.1
"$folder/venv/bin/python" - <<'PY'
import art
import numpy as np
import torch
from art.attacks.evasion import ProjectedGradientDescent
from art.attacks.evasion.projected_gradient_descent.projected_gradient_descent_pytorch import ProjectedGradientDescentPyTorch
from art.estimators.classification import PyTorchClassifier

print("ART", art.__version__, "torch", torch.__version__)
torch.manual_seed(0)
np.random.seed(0)
COUNT, SIDE, NEEDED = 8, 8, 6
images, labels = np.full((COUNT, 1, SIDE, SIDE), 0.5, np.float32), np.zeros(COUNT, int)

# Two classes; pixels of slope 0.5 to 1.5, and a margin that the NEEDED - 0.5 steepest of them, moved by 0.5 each, just spend.
slope = 0.5 + torch.rand(SIDE * SIDE)
steepest = slope.sort(descending=True).values
margin = 2 * 0.5 * float(steepest[: NEEDED - 1].sum() + steepest[NEEDED - 1] / 2)
smallest = 0.5 * (NEEDED - 0.5)
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2)).eval()
with torch.no_grad():
    network[1].weight.copy_(torch.stack([slope, -slope]))
    network[1].bias.copy_(torch.tensor([margin - float(slope.sum()), 0.0]))


def classifier(bounds):
    return PyTorchClassifier(network, torch.nn.CrossEntropyLoss(), (1, SIDE, SIDE), 2, clip_values=bounds, device_type="cpu")


class InTheBox(ProjectedGradientDescentPyTorch):
    """The same attack; pixels that cannot go where their gradient points are left out."""

    def _compute_perturbation_pytorch(self, x, y, mask, momentum):
        ahead = self.estimator.loss_gradient(x=x, y=y).sign()
        free = ((x > 0) | (ahead > 0)) & ((x < 1) | (ahead < 0))
        return super()._compute_perturbation_pytorch(x, y, free.float(), momentum)


def attacked(radius, bounds=(0.0, 1.0), starts=0, kind=ProjectedGradientDescent):
    """Robust accuracy, and of the first image the size of the change and the number of pixels."""
    attack = kind(classifier(bounds), norm=1, eps=radius, eps_step=radius / 10, max_iter=60, num_random_init=starts, verbose=False)
    found = attack.generate(images, y=labels)
    change = np.abs(found - images).reshape(COUNT, -1)
    assert (change.sum(1) <= radius * (1 + 1e-4)).all()
    with torch.no_grad():
        robust = float((network(torch.from_numpy(found)).argmax(1) == 0).float().mean())
    return robust, float(change[0].sum()), int((change[0] > 1e-6).sum())


assert attacked(0.1)[0] == 1.0
print(f"smallest L1 change that flips: {smallest}")
radii = (0.5, 2.0, 4.0, 12.0, 40.0)
boxed = {radius: attacked(radius) for radius in radii}
for radius, (robust, size, pixels) in boxed.items():
    print(f"radius {radius}: robust accuracy {robust:.0%}, change {size:.2f} on {pixels} pixel(s)")
started = attacked(4.0, starts=5)
free, helped = attacked(12.0, bounds=None), attacked(4.0, kind=InTheBox)
print(f"radius 4, 5 random starts: {started}; radius 12 without bounds: {free}; radius 4, bounds looked at: {helped}")
assert all(robust == 1.0 and pixels == 1 and abs(size - 0.5) < 1e-4 for robust, size, pixels in boxed.values()), boxed
assert started[0] == 1.0
assert free[0] == 0.0
assert helped[0] == 0.0 and helped[1] > smallest - 1e-3
PY
echo "as described"
