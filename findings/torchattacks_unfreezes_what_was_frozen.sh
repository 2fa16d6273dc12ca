#!/usr/bin/env bash
# torchattacks 3.5.1: an attack on a network in training mode ends with `train()`, so that BatchNorm held in eval mode is let go.
#
# Whoever finetunes a network adversarially holds its BatchNorm layers: `network.train()`, then `eval()` for these layers, once before
# the loop.  An attack looks at the network in eval mode and gives the mode back afterwards.  One would expect every layer to be
# as it was.  But one flag is remembered, that of the whole network, and what is given back is `train()` for all of it: from the
# first minibatch on BatchNorm normalises with the minibatch's statistics and overwrites the running ones.  Nothing says so, and the
# loss falls as it should.
#
# Here one and the same loop of 50 minibatches runs with a learning rate of 0, so that nothing can be learnt, without an attack and
# with one.  Without it the network stays as it is; with it, it comes out with other running statistics, and so as another
# function.  Dropout that was switched off is on again.  A network in eval mode of which only the head was in training mode
# comes back in eval mode all over: the other way round.
#
# Seen with torchattacks 3.5.1 (PGD, FGSM, MIFGSM alike), torch 2.13.0, numpy 2.4.6, Python 3.11.
# What helps: to note `{module: module.training for module in network.modules()}` before the attack and to put it back after it; or
# layers whose `train` does nothing.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 scipy==1.17.1 tqdm requests
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps torchattacks==3.5.1
"$folder/venv/bin/python" - <<'PY'
import torch
import torchattacks
from torch import nn

print("torchattacks", torchattacks.__version__, "torch", torch.__version__)
torch.set_num_threads(1)


def network():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3))
    return made.train()


def held(made):
    for layer in made:
        if isinstance(layer, (nn.BatchNorm2d, nn.Dropout)):
            layer.eval()
    return made


def looped(attack, restored):
    """How far the running mean has gone in 50 minibatches of a learning rate of 0, and whether BatchNorm and dropout train."""
    made = held(network())
    before = made[1].running_mean.clone()
    optimiser = torch.optim.SGD(made.parameters(), lr=0.0)
    for step in range(50):
        torch.manual_seed(step)
        images, labels = torch.rand(16, 1, 8, 8) * 0.5 + 0.5, torch.randint(0, 3, (16,))
        modes = {module: module.training for module in made.modules()}
        if attack is not None:
            images = attack(made)(images, labels)
        if restored:
            for module, mode in modes.items():
                module.training = mode
        optimiser.zero_grad()
        nn.functional.cross_entropy(made(images), labels).backward()
        optimiser.step()
    return float((made[1].running_mean - before).abs().max()), made[1].training, made[3].training


attacks = {
    "PGD": lambda made: torchattacks.PGD(made, eps=0.03, alpha=0.01, steps=3),
    "FGSM": lambda made: torchattacks.FGSM(made, eps=0.03),
    "MIFGSM": lambda made: torchattacks.MIFGSM(made, eps=0.03, alpha=0.01, steps=3),
}
plain = looped(None, False)
print("no attack (running mean moved by, BatchNorm trains, dropout trains):", plain)
assert plain == (0.0, False, False)
for name, attack in attacks.items():
    found, helped = looped(attack, False), looped(attack, True)
    print(f"{name}: {found}, with the modes put back: {helped}")
    assert found[0] > 0.1 and found[1:] == (True, True), "every layer has its own mode back"
    assert helped == (0.0, False, False)
mixed = network().eval()
mixed[5].train()
attacks["FGSM"](mixed)(torch.rand(2, 1, 8, 8), torch.zeros(2, dtype=torch.long))
print("only the head in training mode, afterwards:", [layer.training for layer in mixed])
assert not mixed[5].training
PY
echo "as described"
