"""The stacked sampler against plain loops on the same noise, and against what is known in closed form."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from harness import device
from harness.measure.llc import sgld
from harness.measure.llc.chains import Trace
from harness.measure.llc.sgld import Chains, langevin_acceptance, sample
from harness.networks import MLPProgram, encode
from harness.networks import program as chunks

ROWS, BURN_IN, DRAWS = 3, 4, 16
STEPS = BURN_IN + DRAWS
NBETA = 12.0
STEP_SIZE, LOCALIZATION = (1e-3, 2e-3, 5e-4), (1.0, 20.0, 0.0)
PROGRAM = MLPProgram((3, 5, 4, 2))
GENERATOR = torch.Generator().manual_seed(1)
INPUTS = torch.randn(1, 3, 40, generator=GENERATOR)
LABELS = torch.randint(0, 2, (40,), generator=GENERATOR)
TARGETS = encode(LABELS, 2)[None]
THETA = torch.stack([PROGRAM.initial(torch.Generator().manual_seed(seed)) for seed in range(ROWS)])


def generators(rows: int = ROWS) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(100 + row) for row in range(rows)]


def streams(rows: int = ROWS) -> list[Callable[[], torch.Generator]]:
    return [lambda row=row: torch.Generator().manual_seed(100 + row) for row in range(rows)]  # type: ignore[misc]


def chains(theta: torch.Tensor = THETA) -> Chains:
    return Chains(theta.clone(), torch.tensor(STEP_SIZE), torch.tensor(LOCALIZATION), streams())


def run(scope: str = "all", **changed: object) -> Trace:
    given = {"scope": scope, "nbeta": NBETA, "burn_in": BURN_IN, "draws": DRAWS} | changed
    return sample(PROGRAM, chains(), INPUTS, TARGETS, **given)  # type: ignore[arg-type]


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Noise that everybody uses, shape (step, row, parameter); only the first entries serve a layer alone."""
    drawn = torch.randn(STEPS, ROWS, PROGRAM.layout.total, generator=torch.Generator().manual_seed(5))

    class Given(sgld.Noise):
        def __init__(self, generators: object, like: torch.Tensor) -> None:
            self.size, self.steps = like.shape[1], iter(drawn)

        def next(self) -> torch.Tensor:
            return next(self.steps)[:, : self.size]

    monkeypatch.setattr(sgld, "Noise", Given)
    return drawn


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[sgld._Walk]:
    """The walks of a run, in order; their last positions can be looked at."""
    seen: list[sgld._Walk] = []

    class Seen(sgld._Walk):
        def run(self, burn_in: int, draws: int) -> Trace:
            seen.append(self)
            return super().run(burn_in, draws)

    monkeypatch.setattr(sgld, "_Walk", Seen)
    return seen


def loss_of(network: torch.nn.Module) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(network(INPUTS[0].T.double()), LABELS)


def flat(parts: object) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in parts])  # type: ignore[attr-defined]


def plain_walk(row: int, scope: str, noise: torch.Tensor) -> Iterator[tuple[float, torch.Tensor, float, torch.Tensor]]:
    """Before every step: loss, position, potential U and its gradient G, in double precision and with autograd."""
    network = PROGRAM.module(THETA[row]).double()
    named = dict(network.named_parameters())
    free = [named[name] for name in PROGRAM.layout.names if name in PROGRAM.scopes[scope]]
    anchor = flat(free).clone()
    step_size, localization = STEP_SIZE[row], LOCALIZATION[row]
    for drawn in noise[:, row].double():
        loss = loss_of(network)
        gradient = flat(torch.autograd.grad(loss, free))
        position = flat(free).clone()
        moved = position - anchor
        pull = NBETA * gradient + localization * moved
        yield loss.item(), position, NBETA * loss.item() + localization * float(moved @ moved) / 2, pull
        after = position - step_size / 2 * pull + math.sqrt(step_size) * drawn[: len(anchor)]
        with torch.no_grad():
            for parameter, value in zip(free, after.split([p.numel() for p in free]), strict=True):
                parameter.copy_(value.view_as(parameter))


def log_density(after: torch.Tensor, before: torch.Tensor, pull: torch.Tensor, step_size: float) -> float:
    """log q(after | before) of the Langevin proposal N(before − ½ ε G(before), ε I)."""
    return float(torch.distributions.Normal(before - step_size / 2 * pull, math.sqrt(step_size)).log_prob(after).sum())


@pytest.mark.parametrize("scope", ["all", "input", "hidden", "output"])
def test_every_step_is_the_formula(noise, walks, scope):
    trace = run(scope)
    (walk,) = walks
    for row in range(ROWS):
        seen = list(plain_walk(row, scope, noise))
        losses = torch.tensor([loss for loss, *_ in seen])
        torch.testing.assert_close(trace.losses[row], losses[BURN_IN:], rtol=1e-5, atol=0)
        assert float(trace.initial_loss[row]) == pytest.approx(seen[0][0], rel=1e-5)
        assert float(trace.gradient_norm[row]) * NBETA == pytest.approx(float(seen[0][3].norm()), rel=1e-5)
        # The walk ends one step after the last loss; that step is the formula's too.
        _, position, _, pull = seen[-1]
        last = noise[-1, row, : len(pull)].double()
        end = position - STEP_SIZE[row] / 2 * pull + math.sqrt(STEP_SIZE[row]) * last
        torch.testing.assert_close(walk.position[row].double(), end, rtol=1e-5, atol=1e-6)


def test_acceptance_is_the_mean_of_metropolis_over_explicit_proposal_densities(noise):
    trace = run()
    for row in range(ROWS):
        seen, step_size, rates = list(plain_walk(row, "all", noise)), STEP_SIZE[row], []
        for step in range(BURN_IN, STEPS):  # every draw, for the step that led to it
            _, before, potential, pull = seen[step - 1]
            _, after, new_potential, new_pull = seen[step]
            there, back = log_density(after, before, pull, step_size), log_density(before, after, new_pull, step_size)
            rates.append(min(1.0, math.exp(potential - new_potential + back - there)))
        assert float(trace.acceptance[row]) == pytest.approx(sum(rates) / len(rates), abs=1e-4)
    assert bool((trace.acceptance < 0.9999).any())


def test_acceptance_formula_in_double_precision():
    generator = torch.Generator().manual_seed(3)
    step_size = 0.3
    before, pull, new_pull, noise = torch.randn(4, 50, 7, generator=generator, dtype=torch.float64)
    potential, new_potential = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    after = before - step_size / 2 * pull + math.sqrt(step_size) * noise
    found = langevin_acceptance(
        potential,
        pull * step_size / 2,
        noise * math.sqrt(step_size),
        new_potential,
        new_pull * step_size / 2,
        torch.full((50,), step_size, dtype=torch.float64),
    )
    for row in range(50):
        ratio = (
            float(potential[row] - new_potential[row])
            + log_density(before[row], after[row], new_pull[row], step_size)
            - log_density(after[row], before[row], pull[row], step_size)
        )
        assert float(found[row]) == pytest.approx(min(1.0, math.exp(min(ratio, 0.0))), rel=1e-10)
    assert 5 < int((found == 1).sum()) < 45


def test_the_first_draw_of_a_walk_without_burn_in_has_nothing_to_be_compared_with(noise):
    trace = run(burn_in=0, draws=1)
    assert bool(trace.acceptance.isnan().all())
    assert torch.equal(trace.losses[:, 0], trace.initial_loss)
    assert bool(run(burn_in=0, draws=2).acceptance.isfinite().all())


def test_devinterp_takes_the_same_steps_on_the_same_noise(noise, walks, monkeypatch):
    from devinterp.optim.sgmcmc import SGMCMC

    trace = run(burn_in=0, draws=STEPS)
    for row in range(ROWS):
        network = PROGRAM.module(THETA[row])
        shapes = [parameter.shape for parameter in network.parameters()]
        pieces = iter([piece.view(shape) for step in noise[:, row] for piece, shape in
                       zip(step.split([shape.numel() for shape in shapes]), shapes, strict=True)])  # fmt: skip

        def given(mean: float, std: float, size: torch.Size, device: object, pieces: object = pieces) -> torch.Tensor:
            assert (mean, std) == (0.0, 1.0)
            piece: torch.Tensor = next(pieces)  # type: ignore[call-overload]
            assert piece.shape == size
            return piece

        optimiser = SGMCMC.sgld(network.parameters(), lr=STEP_SIZE[row], localization=LOCALIZATION[row], nbeta=NBETA)
        losses = []
        with monkeypatch.context() as patch:
            patch.setattr(torch, "normal", given)
            for _ in range(STEPS):
                optimiser.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(INPUTS[0].T), LABELS)
                loss.backward()
                losses.append(loss.item())
                optimiser.step()
        torch.testing.assert_close(trace.losses[row], torch.tensor(losses), rtol=1e-5, atol=0)
        torch.testing.assert_close(walks[0].position[row], flat(network.parameters()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("scope", ["all", "hidden"])
@pytest.mark.parametrize("limit", [1, 4 * 5 * 40 * 2], ids=["one row", "two rows"])
def test_chunks_that_fit_the_cache_change_nothing(monkeypatch, walks, scope, batch_size, limit):
    whole = run(scope, batch_size=batch_size)
    assert len(walks) == 1
    monkeypatch.setattr(chunks, "CACHE_BYTES", limit if batch_size is None else limit // 5)
    parts = run(scope, batch_size=batch_size)
    assert len(walks) == 1 + (3 if limit == 1 else 2)
    for name in Trace.__dataclass_fields__:
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0, atol=0, equal_nan=True)


def test_less_memory_is_more_chunks_of_the_same_numbers(walks):
    whole = run()
    device.limit_memory(1)
    try:
        parts = run()
    finally:
        device.limit_memory(None)
    assert len(walks) == 1 + ROWS
    for name in Trace.__dataclass_fields__:
        assert torch.equal(getattr(parts, name), getattr(whole, name))


def test_chains_of_one_model_share_its_point_and_its_data(noise):
    """Rows 0 and 2 are chains of one model, row 1 of another; the same as if every row had a model of its own."""
    owner = torch.tensor([0, 1, 0])
    data = torch.cat([INPUTS, INPUTS.flip(2)]), TARGETS.expand(2, -1, -1)
    given = chains()
    shared = sample(PROGRAM, replace(given, theta=THETA[:2], owner=owner), *data, scope="all", nbeta=NBETA, burn_in=BURN_IN,
                    draws=DRAWS)  # fmt: skip
    alone = sample(PROGRAM, replace(given, theta=THETA[owner]), *(each[owner] for each in data), scope="all", nbeta=NBETA,
                   burn_in=BURN_IN, draws=DRAWS)  # fmt: skip
    assert torch.equal(shared.losses, alone.losses)
    assert bool((shared.losses[0] != shared.losses[1]).any())


def test_every_row_may_have_its_own_data(noise):
    shared = run()
    own = sample(PROGRAM, chains(), INPUTS.expand(ROWS, -1, -1).contiguous(), TARGETS.expand(ROWS, -1, -1).contiguous(),
                 scope="all", nbeta=NBETA, burn_in=BURN_IN, draws=DRAWS)  # fmt: skip
    assert torch.equal(shared.losses, own.losses)


@pytest.mark.parametrize("width", [4, 2**11 - 1], ids=["long blocks", "short blocks"])
def test_noise_does_not_depend_on_the_number_of_rows(width):
    steps = 300 if width == 4 else 40  # past the end of the first block

    def drawn(rows: slice) -> torch.Tensor:
        chosen = generators(5)[rows]
        noise = sgld.Noise(chosen, torch.empty(len(chosen), width))
        return torch.stack([noise.next().clone() for _ in range(steps)], 1)

    together = drawn(slice(0, 5))
    assert torch.equal(together[2:4], drawn(slice(2, 4)))
    assert torch.equal(together[4:], drawn(slice(4, 5)))
    values = together.flatten(1)
    count = values.shape[1]
    # Mean and variance of standard normal numbers, four standard errors.
    assert bool((values.mean(1).abs() < 4 / math.sqrt(count)).all())
    assert bool(((values.var(1) - 1).abs() < 4 * math.sqrt(2 / count)).all())
    assert values.unique().numel() > 0.99 * values.numel()


@pytest.mark.parametrize(("size", "batches"), [(8, 5), (40, 1), (12, 3)])
def test_minibatches_cover_each_point_at_most_once_an_epoch(size, batches):
    stream = sgld._Batches(generators(), 40, size)
    epochs = [torch.cat([stream.next() for _ in range(batches)], 1) for _ in range(3)]
    for epoch in epochs:
        for row in epoch:
            assert len(set(row.tolist())) == batches * size  # all 40 where the size divides them
            assert set(row.tolist()) <= set(range(40))
    orders = [row.tolist() for epoch in epochs for row in epoch]
    assert all(one != other for i, one in enumerate(orders) for other in orders[:i])
    alone = sgld._Batches(generators()[1:2], 40, size)
    assert torch.equal(alone.next(), epochs[0][1:2, :size])


def test_minibatch_losses_are_those_of_the_batch(walks):
    trace = run(batch_size=8, burn_in=0, draws=1)
    batch = sgld._Batches(generators(), 40, 8).next()
    for row in range(ROWS):
        network, chosen = PROGRAM.module(THETA[row]), batch[row]
        loss = torch.nn.functional.cross_entropy(network(INPUTS[0, :, chosen].T), LABELS[chosen])
        assert float(trace.losses[row, 0]) == pytest.approx(loss.item(), rel=1e-5)
    assert bool(run(batch_size=8).acceptance.isnan().all())


@pytest.mark.parametrize("size", [41, 0])
def test_an_impossible_batch_is_refused(size):
    with pytest.raises(ValueError, match=f"batch_size is {size}; it has to be from 1 to the number of points, 40"):
        sgld._Batches(generators(), 40, size)


def test_an_unknown_scope_names_the_known_ones():
    with pytest.raises(ValueError, match="scope 'middle' is unknown; this network has 'all', 'input'"):
        run("middle")


@pytest.mark.parametrize("scope", ["input", "hidden", "output"])
def test_a_chain_restricted_to_a_layer_moves_that_layer_alone(walks, scope):
    given = chains()
    before = given.theta.clone()
    trace = sample(PROGRAM, given, INPUTS, TARGETS, scope=scope, nbeta=NBETA, burn_in=BURN_IN, draws=DRAWS)
    assert torch.equal(given.theta, before)
    (walk,) = walks
    names = PROGRAM.scopes[scope]
    assert walk.position.shape[1] == PROGRAM.layout.restrict(names).total
    assert bool((walk.position != walk.anchor).all())
    # The loss of the last draw's successor is that of the whole network with only that layer exchanged.
    after = PROGRAM.layout.views(before.clone())
    after.update(walk.restriction.layout.views(walk.position))
    whole = PROGRAM.loss(after, INPUTS, TARGETS)
    walk_loss = walk.loss_gradient()
    torch.testing.assert_close(walk_loss, whole, rtol=1e-5, atol=0)
    assert bool((trace.losses[:, -1] != whole).all())


def test_the_stationary_variance_on_a_quadratic_is_that_of_the_discrete_chain():
    """A loss ½ h (w − w*)² makes SGLD a first-order autoregression, whose variance is known exactly.

    With a = nβ h + γ and u = w − w*, a step is u' = (1 − ½ ε a) u + √ε ξ.  In the stationary state v = (1 − ½ ε a)² v + ε,
    so that v = ε / (1 − (1 − ½ ε a)²) = 1 / (a (1 − ¼ ε a)): the posterior's 1/a, and the discretisation's factor.
    """
    h, nbeta, rows, burn_in, draws = 2.0, 10.0, 256, 100, 4000
    step_size = torch.tensor([0.02, 0.04]).repeat(rows // 2)
    localization = torch.tensor([5.0, 15.0]).repeat(rows // 2)
    program = MLPProgram((1, 1), linear=True, bias=False)
    x, best = torch.full((1, 1, 1), math.sqrt(h)), 0.7
    theta = torch.full((rows, 1), best)
    trace = sample(
        program, Chains(theta, step_size, localization, streams(rows)), x, x * best, scope="all", nbeta=nbeta,
        burn_in=burn_in, draws=draws, loss="mse",
    )  # fmt: skip
    variances = (2 * trace.losses / h).double().mean(1)
    for start in range(2):
        a = nbeta * h + float(localization[start])
        share = float(step_size[start]) * a
        truth = 1 / (a * (1 - share / 4))
        own = variances[start::2]
        # Each row's mean of u² has relative variance (2 / draws) (1 + ρ²) / (1 − ρ²), with ρ = 1 − ½ ε a the correlation
        # of neighbours (squares correlate by ρ²).  Four standard errors; the bias that is tested for is 14 % and 54 %.
        rho = 1 - share / 2
        error = truth * math.sqrt(2 / draws * (1 + rho**2) / (1 - rho**2) / len(own))
        assert float(own.mean()) == pytest.approx(truth, abs=4 * error)
        assert 4 * error < 0.25 * abs(truth - 1 / a)
        # Started at w*, the burn-in leaves ρ^100 of the start; and rows differ as much as chance makes them differ.
        assert rho**burn_in < 1e-10
        assert 0.7 < float(own.std()) / (error * math.sqrt(len(own))) < 1.3


def preconditioned_walk(row: int, noise: torch.Tensor) -> Iterator[tuple[object, ...]]:
    """As the plain walk, with RMSprop's G, which is shown last; written from the formula."""
    network = PROGRAM.module(THETA[row]).double()
    free = list(network.parameters())
    anchor, square, scaling = flat(free).clone(), 0.0, torch.ones(PROGRAM.layout.total, dtype=torch.float64)
    step_size, localization = STEP_SIZE[row], LOCALIZATION[row]
    for step, drawn in enumerate(noise[:, row].double()):
        loss = loss_of(network)
        gradient = flat(torch.autograd.grad(loss, free))
        position = flat(free).clone()
        moved = position - anchor
        pull = NBETA * gradient + localization * moved
        if step < BURN_IN:
            square = 0.99 * square + 0.01 * gradient**2
            slope = square**0.5
            inverse = 1 / (slope + 0.1 * slope.mean())
            scaling = inverse / inverse.mean()
        yield loss.item(), position, NBETA * loss.item() + localization * float(moved @ moved) / 2, pull, scaling
        after = position - step_size / 2 * scaling * pull + (step_size * scaling).sqrt() * drawn
        with torch.no_grad():
            for parameter, value in zip(free, after.split([p.numel() for p in free]), strict=True):
                parameter.copy_(value.view_as(parameter))


def test_a_preconditioned_step_is_the_formula_and_so_is_its_acceptance(noise):
    trace = run(preconditioner="rmsprop")
    for row in range(ROWS):
        seen, rates = list(preconditioned_walk(row, noise)), []
        torch.testing.assert_close(trace.losses[row], torch.tensor([one[0] for one in seen])[BURN_IN:], rtol=1e-4, atol=0)
        for step in range(BURN_IN, STEPS):
            _, before, potential, pull, scaling = seen[step - 1]
            _, after, new_potential, new_pull, _ = seen[step]
            variance = STEP_SIZE[row] * scaling
            there = torch.distributions.Normal(before - variance / 2 * pull, variance.sqrt()).log_prob(after).sum()
            back = torch.distributions.Normal(after - variance / 2 * new_pull, variance.sqrt()).log_prob(before).sum()
            rates.append(min(1.0, math.exp(potential - new_potential + float(back - there))))
        assert float(trace.acceptance[row]) == pytest.approx(sum(rates) / len(rates), abs=1e-4)
    assert float(seen[-1][4].max() / seen[-1][4].min()) > 3


def test_the_preconditioner_leaves_the_stationary_distribution_as_it_is(walks):
    """Two directions of a quadratic loss, one 400 times as steep as the other; both have their own exact variance.

    With a fixed G each is a first-order autoregression with the step ε G_i, as in the test before.  An ordinary chain
    needs a step of 1/a of the steep one, at which the flat one moves by 400 times less.
    """
    nbeta, localization, step_size, rows, draws = 10.0, 1.0, 0.02, 512, 4000
    h = torch.tensor([4.0, 0.01])
    program = MLPProgram((2, 1), linear=True, bias=False)
    x = (2 * h).sqrt().diag()[None]  # the mean over two points halves it
    theta = torch.full((rows, 2), 0.5)
    trace = sample(
        program, Chains(theta, torch.full((rows,), step_size), torch.full((rows,), localization), streams(rows)), x,
        (theta[:1] @ x[0])[None], scope="all", nbeta=nbeta, burn_in=2000, draws=draws, loss="mse", preconditioner="rmsprop",
    )  # fmt: skip
    scaling = torch.cat([walk.scaling.root for walk in walks]) ** 2
    assert torch.allclose(scaling.mean(1), torch.ones(rows))
    assert bool((scaling[:, 1] > 2 * scaling[:, 0]).all())
    a = nbeta * h + localization
    variance = 1 / (a * (1 - step_size * scaling * a / 4))
    excess = trace.losses.double().mean(1) - (h * variance).sum(1).double() / 2
    assert abs(float(excess.mean())) < 4 * float(excess.std()) / math.sqrt(rows)
    assert 4 * float(excess.std()) / math.sqrt(rows) < 0.02 * float((h / a).sum()) / 2
    # γ‖w − w*‖² per parameter, which the flat direction dominates: it has relaxed.
    expected = localization * variance.sum(1) / 2
    strain = trace.strains.mean(1) / 2 - expected
    assert abs(float(strain.mean())) < 4 * float(strain.std()) / math.sqrt(rows)


def test_coordinates_without_any_slope_are_all_alike():
    scaling = sgld._Scaling(torch.zeros(2, 3))
    scaling.follow(torch.zeros(2, 3))
    assert torch.equal(scaling.root, torch.ones(2, 3))
    scaling.follow(torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    assert torch.allclose(scaling.root[1], torch.ones(3))
    # Slope 1 against none, damped by a tenth of the mean: (1 + 1/30) / (1/30).
    assert float((scaling.root[0, 1] / scaling.root[0, 0]) ** 2) == pytest.approx(31)


def test_displacement_is_what_integration_by_parts_says():
    """γ E‖u‖² / d = 1 − nβ E[u ∇L] / d: on ½ h u² it is γ / (nβ h + γ), and on a hill (h < 0) it is above 1."""
    program, nbeta, localization = MLPProgram((1, 1), linear=True, bias=False), 2.0, 4.0
    given = Chains(torch.zeros(256, 1), torch.full((256,), 0.01), torch.full((256,), localization), streams(256))
    for h, loss in ((1.0, lambda z, y: (z**2).sum(2) / 2), (-1.0, lambda z, y: -(z**2).sum(2) / 2)):
        trace = sample(program, given, torch.ones(1, 1, 1), torch.zeros(1, 1, 1), scope="all", nbeta=nbeta, burn_in=500,
                       draws=3000, loss=loss)  # fmt: skip
        truth = localization / (nbeta * h + localization)
        displacement = trace.strains.mean(1)
        error = float(displacement.std()) / math.sqrt(256)
        assert float(displacement.mean()) == pytest.approx(truth, abs=4 * error + 0.01 * truth)
        assert 4 * error < 0.1 * truth
        assert (truth > 1) == (h < 0)


def test_traces_join_row_by_row():
    traces = [run(), run()]
    joined = Trace.join(traces)
    assert torch.equal(joined.losses, torch.cat([trace.losses for trace in traces]))
    assert joined.acceptance.shape == joined.initial_loss.shape == joined.gradient_norm.shape == (2 * ROWS,)
    short = replace(traces[0], losses=traces[0].losses[:, :3], strains=traces[0].strains[:, :3])
    uneven = Trace.join([short, traces[1]])
    assert torch.equal(uneven.losses[:ROWS, :3], short.losses)
    assert bool(uneven.losses[:ROWS, 3:].isnan().all())
    assert torch.equal(uneven.losses[ROWS:], traces[1].losses)


def test_chains_that_explode_say_so_and_warn_nobody():
    given = Chains(THETA.clone(), torch.full((ROWS,), 1e6), torch.tensor(LOCALIZATION), streams())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = sample(PROGRAM, given, INPUTS, TARGETS, scope="all", nbeta=1e6, burn_in=0, draws=40)
    assert not bool(trace.losses[:, -1].isfinite().any())
    assert not bool((trace.acceptance > 0.5).any())
