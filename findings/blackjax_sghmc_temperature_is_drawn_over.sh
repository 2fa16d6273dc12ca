#!/usr/bin/env bash
# blackjax 1.7.1, sghmc: `temperature` changes next to nothing, and the variance stays too large however small the step is.
#
# Learning coefficients and cold posteriors need draws at a temperature T other than 1.  The kernel takes a `temperature`, as sgld's
# does, and scales the friction's noise by it.  One would expect a standard normal to be sampled with variance T.  But every call
# draws the momentum anew, from N(0, 1) whatever T is.  Friction and its noise are felt after a time of 1 / alpha = 100, a call
# takes a few small steps, and so the draws have the energy of temperature 1: at T = 0.01 the variance, and any "coefficient"
# (E[U] - U*) / T made from it, is a hundred times what it should be.  No message, and chains agree with each other.
#
# At T = 1 the draws are too wide, too: a call begins with a move of the position, so that the momentum that was drawn stands half a
# step off.  One would expect the bias of a sampler without rejections to vanish with the step size.  It tends to a factor of
# 1 / (1 - 1 / L) for L integration steps: 11 % for the 10 that are the default.
# A call is linear here, x' = a x + noise of variance s, so that its variance s / (1 - a^2) is computed beside the sampling.
#
# Seen with blackjax 1.7.1, jax 0.10.2, numpy 2.4.6, Python 3.11: variance 1.12 and 1.01 for T = 1, 0.1 and 0.01 alike.
# What helps: to divide the gradient by T and leave `temperature` alone, with 50 steps or more a call; or sgld.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check blackjax==1.7.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
from functools import partial

import blackjax
import jax
import numpy as np

print("blackjax", blackjax.__version__, "jax", jax.__version__)
CHAINS, DIMENSIONS, ALPHA = 2_000, 10, 0.01


def gradient(position, minibatch, temperature=1.0):
    """Of the log density of a standard normal, tempered."""
    return -position / temperature


@partial(jax.jit, static_argnums=(0, 1, 2))
def variance(start, move, calls):
    """Of the coordinates of independent chains that start at 0, after so many calls."""

    def call(states, key):
        return jax.vmap(move)(jax.random.split(key, CHAINS), states), None

    first, then = jax.random.split(jax.random.key(0))
    states = jax.vmap(lambda key: start(jax.numpy.zeros(DIMENSIONS), key))(jax.random.split(first, CHAINS))
    states = jax.lax.scan(call, states, jax.random.split(then, calls))[0]
    return (states.position if hasattr(states, "position") else states).var()


def sampled(temperature, steps, size, tempered=1.0):
    """By sghmc, over a time long enough to forget the start; the last argument tempers the density instead."""
    kernel = blackjax.sghmc(partial(gradient, temperature=tempered), steps, ALPHA)
    calls = round(10 * tempered / (steps * size) ** 2 + 30)
    return float(variance(kernel.init, lambda key, state: kernel.step(key, state, None, size, temperature), calls))


def computed(temperature, steps, size, drawn=1.0):
    """The variance that the kernel's own updates leave as it is, for momenta of variance ``drawn`` at each call."""
    update = np.array([[1.0, size], [-size, 1.0 - ALPHA * size]])
    spread = np.diag([0.0, drawn])
    for _ in range(steps):
        spread = update @ spread @ update.T + np.diag([0.0, 2 * ALPHA * size * temperature])
    return float(spread[0, 0] / (1 - np.linalg.matrix_power(update, steps)[0, 0] ** 2))


for temperature in (1.0, 0.1, 0.01):
    for steps, size in ((10, 0.04), (50, 0.01)):
        found, right = sampled(temperature, steps, size), computed(temperature, steps, size)
        print(f"T = {temperature}, {steps} steps of {size}: variance {found:.4f}, computed {right:.4f}, expected {temperature}")
        assert abs(found / right - 1) < 0.05, "momenta are no longer drawn from N(0, 1)"
        assert right > 1.0
assert abs(computed(1.0, 10, 1e-3) - 10 / 9) < 1e-3 and abs(computed(1.0, 50, 1e-3) - 50 / 49) < 1e-3
assert computed(0.01, 10, 1e-3, drawn=0.01) < 0.0112

sgld = blackjax.sgld(gradient)
peer = float(variance(sgld.init, lambda key, state: sgld.step(key, state, None, 0.02, 0.01), 500))
helped = sampled(1.0, 50, 0.001, tempered=0.01)
print(f"T = 0.01: sgld {peer:.4f}; sghmc with the density tempered instead {helped:.4f}")
assert abs(peer / 0.01 - 1) < 0.05 and abs(helped / 0.01 - 1) < 0.06
PY
echo "as described"
