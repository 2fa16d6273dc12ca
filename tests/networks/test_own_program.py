"""A stacked program that the library does not know: trained, measured, attacked, sampled and judged, from one file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from own_networks import Quadratic, Quadratics

from harness import LLC, Accuracy, LLCSpec, PairedDifference, Recipe, Robustness, Store, Threat, ToyImages, judge, pgd
from harness.measure.gaps import Gaps
from harness.networks import encode
from harness.store.names import member_key
from harness.streams import torch_generator

DATA = ToyImages(train=96, test=30)
BASE = Recipe(DATA, Quadratics(5), epochs=3, batch_size=16)


def test_the_program_computes_what_its_module_does() -> None:
    program, data = BASE.program(), DATA.load()
    theta = torch.stack([program.initial(torch_generator("own program", row)) for row in range(3)])
    parameters, gradient = program.layout.views(theta), torch.zeros_like(theta)
    x, y = torch.from_numpy(data.train_x[:20]), torch.from_numpy(data.train_y[:20])
    inputs = x.movedim(0, -1)[None].expand(3, *x.shape[1:], 20).contiguous()
    program.loss_gradient(parameters, inputs, encode(y, 3)[None], program.layout.views(gradient), "cross_entropy")
    logits, back = program.pullback(parameters, inputs)
    for row in range(3):
        module, points = program.module(theta[row]), x.clone().requires_grad_()
        assert isinstance(module, Quadratic)
        out = module(points)
        torch.testing.assert_close(logits[row].T, out)
        torch.nn.functional.cross_entropy(out, y).backward()
        torch.testing.assert_close(gradient[row], torch.cat([own.grad.flatten() for own in module.parameters()]))
        pulled = back(torch.softmax(logits, 1) - encode(y, 3)[None])[row].movedim(-1, 0) / 20
        torch.testing.assert_close(pulled, points.grad)


def test_its_class_and_its_program_are_part_of_the_name() -> None:
    from harness.code.closure import closure
    from harness.spec import definitions

    assert "own_networks" in closure(definitions(BASE)).own
    assert member_key(BASE, 0, "", None, "cpu")["recipe"]["architecture"] == {"type": "own_networks.Quadratics", "width": 5}
    assert BASE.key != replace(BASE, architecture=Quadratics(6)).key


def test_it_is_trained_measured_and_judged_through_the_store(tmp_path: Path) -> None:
    store, robust = Store(tmp_path / "kept"), BASE.robust(Threat("linf", 0.5, 2))
    populations = store.populations([BASE, robust, BASE.finetuned(Threat("linf", 0.5, 2), epochs=1)], range(6))
    table = store.measure(populations, Accuracy())
    assert set(table["architecture"]) == {"squares 5"}
    terms = PairedDifference("loss", "regime", "robust", "standard", "seed", margin=0.01, margin_reason="a hundredth",
                             where={"regime": ("robust", "standard")})  # fmt: skip
    assert judge(terms, table).outcome in ("supported", "refuted", "inconclusive")
    assert np.isfinite(store.measure(populations[:1], Robustness(thresholds=(1.0,), norm="l2", points=10))["accuracy"]).all()
    assert len(store.measure(populations[:1], Gaps(Threat("linf", 0.5, 2), points=16))) == 6


@pytest.mark.parametrize("scope", ["all", "outer"])
def test_it_is_sampled_and_attacked(tmp_path: Path, scope: str) -> None:
    population = Store(tmp_path / "kept").population(BASE, range(2))
    spec = LLCSpec(chains=2, draws=30, burn_in=10)
    found = LLC(spec, scopes=(scope,), points=48).run(population, DATA.load(), "cpu")
    assert np.isfinite(found["llc"]).all()
    data = DATA.load()
    assert len(pgd(population, data.test_x[:8], data.test_y[:8], Threat("l2", 0.5)))
