"""MCLMC and NUTS of blackjax on the posterior of toy classifiers, localised at each: see benchmarks/samplers.py.

    PYTHON benchmarks/peer_blackjax.py PROBLEM

PROBLEM is a file of numpy arrays: sizes, theta (network, parameter), x, y, gamma, nbeta.  One core.  Every network has four
chains; MCLMC runs them all as one array, NUTS one after the other, since its trajectories differ in length.  Prints JSON: the
version, and for each sampler the seconds of compiling, tuning and drawing, the gradients of a chain, and the estimates from
shares of its draws.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import blackjax  # noqa: E402 - after the limits on its threads
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

CHAINS = 4
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
MCLMC_TUNING, MCLMC_DRAWS = 2000, 8_000  # of the first three tenths are steps
NUTS_TUNING, NUTS_DRAWS = 100, 300

Potential = Callable[[Any, Any], Any]


def loss(problem: dict[str, Any], theta: Any) -> Any:
    """Mean cross-entropy of one network."""
    value, used = problem["x"], 0
    sizes = problem["sizes"].tolist()
    for layer, (into, out) in enumerate(pairwise(sizes)):
        weight, bias = theta[used : used + into * out].reshape(out, into), theta[used + into * out : used + (into + 1) * out]
        used += (into + 1) * out
        value = value @ weight.T + bias
        if layer < len(sizes) - 2:
            value = jax.nn.relu(value)
    logs = jax.nn.log_softmax(value)
    return -jnp.take_along_axis(logs, problem["y"][:, None], 1).mean()


def log_density(problem: dict[str, Any], anchor: Any, theta: Any) -> Any:
    """−U."""
    return -problem["nbeta"] * loss(problem, theta) - problem["gamma"] / 2 * jnp.square(theta - anchor).sum()


def timed(work: Callable[..., Any], *given: Any) -> tuple[Any, float, float]:
    """What a function returns, seconds to compile it, and to run it."""
    began = time.perf_counter()
    compiled = jax.jit(work).lower(*given).compile()
    between = time.perf_counter()
    found = jax.block_until_ready(compiled(*given))
    return found, between - began, time.perf_counter() - between


def mclmc(problem: dict[str, Any], anchors: Any, keys: Any) -> dict[str, Any]:
    """Microcanonical Langevin without refusals, tuned as its authors do."""
    kernel = blackjax.mclmc.build_kernel()

    def tune(anchor: Any, key: Any) -> Any:
        density = partial(log_density, problem, anchor)
        first, second = jax.random.split(key)
        state = blackjax.mclmc.init(position=anchor, logdensity_fn=density, rng_key=first)
        state, chosen, _ = blackjax.mclmc_find_L_and_step_size(
            mclmc_kernel=kernel, num_steps=MCLMC_TUNING, state=state, rng_key=second, logdensity_fn=density
        )
        return state, chosen

    def draw(anchor: Any, key: Any, state: Any, chosen: Any) -> Any:
        density = partial(log_density, problem, anchor)

        def step(state: Any, key: Any) -> Any:
            state, _ = kernel(key, state, density, chosen.inverse_mass_matrix, chosen.L, chosen.step_size)
            return state, -state.logdensity - problem["gamma"] / 2 * jnp.square(state.position - anchor).sum()

        return jax.lax.scan(step, state, jax.random.split(key, MCLMC_DRAWS))[1]

    (state, chosen), compiling, tuning = timed(jax.vmap(tune), anchors, keys)
    energies, more, drawing = timed(jax.vmap(draw), anchors, keys, state, chosen)
    return {"compiling": compiling + more, "tuning": tuning, "drawing": drawing,
            "gradients": 2 * (0.3 * MCLMC_TUNING + MCLMC_DRAWS), "energies": energies}  # fmt: skip


def nuts(problem: dict[str, Any], anchors: Any, keys: Any) -> dict[str, Any]:
    """The no-U-turn sampler with window adaptation."""

    def tune(given: Any) -> Any:
        anchor, key = given
        density = partial(log_density, problem, anchor)
        (state, chosen), told = blackjax.window_adaptation(blackjax.nuts, density).run(key, anchor, NUTS_TUNING)
        return state, chosen["step_size"], chosen["inverse_mass_matrix"], told.info.num_integration_steps.sum()

    def draw(given: Any) -> Any:
        anchor, key, state, size, mass = given
        kernel = blackjax.nuts(partial(log_density, problem, anchor), size, mass)

        def step(state: Any, key: Any) -> Any:
            state, told = kernel.step(key, state)
            energy = -state.logdensity - problem["gamma"] / 2 * jnp.square(state.position - anchor).sum()
            return state, (energy, told.num_integration_steps)

        energies, counts = jax.lax.scan(step, state, jax.random.split(key, NUTS_DRAWS))[1]
        return energies, counts.sum()

    (state, size, mass, tried), compiling, tuning = timed(partial(jax.lax.map, tune), (anchors, keys))
    (energies, made), more, drawing = timed(partial(jax.lax.map, draw), (anchors, keys, state, size, mass))
    return {"compiling": compiling + more, "tuning": tuning, "drawing": drawing,
            "gradients": float((tried + made).mean()), "energies": energies}  # fmt: skip


def main() -> None:
    """Run both."""
    problem = dict(np.load(sys.argv[1]))
    theta = jnp.asarray(problem["theta"])
    anchors, keys = jnp.repeat(theta, CHAINS, 0), jax.random.split(jax.random.key(0), CHAINS * len(theta))
    start = problem["nbeta"] * np.array([loss(problem, each) for each in theta])
    samplers = {}
    for name, sampler in (("MCLMC", mclmc), ("NUTS", nuts)):
        found = sampler(problem, anchors, keys)
        energies = np.asarray(found.pop("energies"), dtype=float).reshape(len(theta), CHAINS, -1)
        count = [max(1, int(share * energies.shape[2])) for share in SHARES]
        samplers[name] = found | {"llc": [(energies[:, :, :some].mean((1, 2)) - start).tolist() for some in count]}
    print(json.dumps({"version": blackjax.__version__, "shares": SHARES, "samplers": samplers}))


if __name__ == "__main__":
    main()
