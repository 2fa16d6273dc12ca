"""What instruments are given beside models: taken in one form, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.data.toy import ToyImages
from harness.measure.arguments import norm_of, require_bounds
from harness.measure.attack.attack import pgd, smallest_perturbation
from harness.measure.attack.perturbations import direction_attack, fgsm
from harness.measure.attack.robustness import Robustness
from harness.measure.llc.estimate import LLC, LLCSpec, llc
from harness.measure.targets import class_numbers
from harness.population import Population
from harness.recipe import MLP, Recipe, RecipeError, Threat, digest
from harness.training.train import train

DRAW = torch.Generator().manual_seed(0)
THREAT = Threat(epsilon=0.1)
X, Y = torch.rand(16, 4, generator=DRAW), torch.randint(3, (16,), generator=DRAW)
ONE = LLCSpec(sampler="sgld", burn_in=0, draws=1, chains=1, descent=0)


def net(outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, outputs))


@pytest.mark.parametrize("word", ["linf", "Linf", "L_inf", "inf", "∞", math.inf, "LINF"])
def test_the_usual_spellings_of_linf(word: Any) -> None:
    assert norm_of(word) == "linf"
    assert Robustness(norm=word) == Robustness()
    assert digest(Robustness(norm=word)) == digest(Robustness())


@pytest.mark.parametrize("word", ["l2", "L2", "2", 2, 2.0, "l_2"])
def test_the_usual_spellings_of_l2(word: Any) -> None:
    assert norm_of(word) == "l2"
    assert torch.equal(fgsm(net(), X, Y, epsilon=0.1, norm=word), fgsm(net(), X, Y, epsilon=0.1, norm="l2"))


@pytest.mark.parametrize("word", ["l3", "fro", "", "l22", None, 3, True, "linf2"])
def test_other_norms_are_refused_by_name(word: Any) -> None:
    for attack in (
        lambda: smallest_perturbation(net(), X, Y, norm=word),
        lambda: fgsm(net(), X, Y, epsilon=0.1, norm=word), lambda: Robustness(norm=word),
        lambda: direction_attack(net(), X, Y, direction=np.ones(4), epsilon=0.1, norm=word),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"norm=.* is unknown; give 'linf'"):
            attack()


@pytest.mark.parametrize("word", ["l1", "L0", 1])
def test_balls_are_those_of_two_norms(word: Any) -> None:
    for attack in (
        lambda: fgsm(net(), X, Y, epsilon=0.1, norm=word),
        lambda: direction_attack(net(), X, Y, direction=np.ones(4), epsilon=0.1, norm=word),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"norm=.* is not supported here; give 'linf'"):
            attack()


@given(st.text(max_size=5) | st.integers() | st.floats())
def test_a_norm_is_one_of_two_or_an_error(word: Any) -> None:
    try:
        found = norm_of(word)
    except ValueError as problem:
        found = str(problem)
    assert found in ("linf", "l2") or repr(word) in found


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (Y[:1], r"targets have shape \(1,\); give one class number for each of the 16 points"),
        (nn.functional.one_hot(Y, 3), r"targets.argmax\(1\)"),
        (torch.softmax(torch.randn(16, 3), 1), r"targets.argmax\(1\)"),
        (Y.float(), r"targets are torch.float32; class numbers are whole numbers"),
        (Y + 1, "targets range from 1 to 3; this network has classes 0 to 2"),
        (Y - 1, "targets range from -1 to 1; this network has classes 0 to 2"),
        (Y.masked_fill(Y == 0, -100), "targets range from -100 to 2; this network has classes 0 to 2"),
    ],
)
def test_targets_of_attacks_are_class_numbers(targets: torch.Tensor, message: str) -> None:
    for attack in (smallest_perturbation, lambda *given: pgd(*given, THREAT), lambda *given: fgsm(*given, epsilon=0.1)):
        with pytest.raises(ValueError, match=message):
            attack(net(), X, targets)


@pytest.mark.parametrize(
    ("targets", "loss", "message"),
    [
        (Y.float(), "cross_entropy", r"targets are torch.float32; class numbers are whole numbers"),
        (Y[:5], "cross_entropy", "do not fit inputs of 16 points"),
        (Y[:, None].expand(16, 4), "cross_entropy", r"shape \(16, 4\) do not fit inputs of 16 points.*for sequences give"),
        (Y + 1, "cross_entropy", "targets range from 1 to 3; this network has classes 0 to 2"),
        # others count them: findings/curvlinops_counts_what_the_loss_ignores.sh
        (Y.masked_fill(Y == 0, -100), "cross_entropy", "targets range from -100 to 2; this network has classes 0 to 2"),
        (torch.rand(16, 3), "cross_entropy", "are not probabilities of 3 classes"),
        (Y.float(), "mse", r"do not fit inputs of 16 points and 3 outputs; values have shape \(16, 3\)"),
        (torch.rand(16, 1), "mse", r"have 1 values per point, but the network has 3 outputs"),
        (torch.rand(16, 3) * math.nan, "mse", "targets of points 0, 1, 2, … .* contain NaN"),
        (torch.rand(16, 4, 3), "mse", r"do not fit inputs of 16 points and 3 outputs"),
    ],
)
def test_targets_of_losses_fit_the_outputs(targets: torch.Tensor, loss: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        llc(net(), X, targets, loss=loss, spec=ONE)  # type: ignore[arg-type]


def test_values_of_one_output_need_no_dimension() -> None:
    y = torch.rand(16)
    with torch.no_grad():
        expected = float((net(1)(X)[:, 0] - y).square().mean() / 2)
    for given_y in (y, y[:, None]):
        assert llc(net(1), X, given_y, loss="mse", spec=ONE)["initial_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_probabilities_are_targets_of_the_cross_entropy() -> None:
    soft = torch.softmax(torch.randn(16, 3, generator=torch.Generator().manual_seed(3)), 1)
    with torch.no_grad():
        expected = float(nn.functional.cross_entropy(net()(X), soft))
    assert llc(net(), X, soft, spec=ONE)["initial_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_a_single_output_is_a_classifier_of_two() -> None:
    """The same sizes as of the network with the logits 0 and z."""
    model, y = net(1), (Y > 0).long()
    pair = net(1)
    last = nn.Linear(8, 2)
    with torch.no_grad():
        last.weight.copy_(torch.cat([torch.zeros(1, 8), pair[2].weight]))
        last.bias.copy_(torch.cat([torch.zeros(1), pair[2].bias]))
        pair[2] = last
        loss = float(nn.functional.binary_cross_entropy_with_logits(model(X)[:, 0], y.float()))
    for norm in ("linf", "l2"):
        found, expected = (smallest_perturbation(each, X, y, norm=norm) for each in (model, pair))  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert ((found > 0) & np.isfinite(found)).any()
    torch.testing.assert_close(pgd(model, X, y, THREAT), pgd(pair, X, y, THREAT))
    row = llc(model, X, y, spec=LLCSpec(sampler="sgld", burn_in=5, draws=5)).iloc[0]
    assert row["initial_loss"] == pytest.approx(loss, rel=1e-5)
    both = llc(model, X, y, spec=LLCSpec(sampler="sgld", burn_in=5, draws=5), engine="devinterp").iloc[0]
    assert both["initial_loss"] == pytest.approx(loss, rel=1e-5)
    with pytest.raises(ValueError, match="targets range from 0 to 2; this network has classes 0 to 1"):
        smallest_perturbation(model, X, Y)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, 0), "the first, the smallest value of an input, has to be below the second"),
        ((0, 0), "has to be below the second"),
        ((0.5, 1), "inputs range from .* beyond bounds"),
        ((0, 0.5), "scale the inputs, or leave bounds out"),
        (3, "give two numbers"),
        (("a", "b"), "give two numbers"),
        ((math.nan, 1), "has to be below the second"),
    ],
)
def test_impossible_bounds_are_refused(bounds: Any, message: str) -> None:
    for attack in (smallest_perturbation, pgd, fgsm):
        more = {smallest_perturbation: {}, pgd: {"threat": THREAT}, fgsm: {"epsilon": 0.1}}[attack]
        with pytest.raises(ValueError, match=message):
            attack(net(), X, Y, bounds=bounds, **more)  # type: ignore[operator]


@given(st.floats(-5, 5), st.floats(0.1, 5), st.floats(-8, 8))
def test_inputs_lie_within_bounds_or_are_refused(low: float, width: float, value: float) -> None:
    bounds, inside = (low, low + width), low - 1e-7 * width <= value <= low + width + 1e-7 * width
    outside = value < low - 1e-5 * width or value > low + width + 1e-5 * width
    try:
        require_bounds(bounds, torch.tensor([value], dtype=torch.float64))
        assert not outside
    except ValueError:
        assert not inside


@pytest.mark.parametrize("epsilon", [-0.1, math.nan, math.inf, "big"])
def test_impossible_radii_are_refused(epsilon: Any) -> None:
    with pytest.raises(ValueError, match=r"epsilon is .*; it has to be finite and at least 0"):
        fgsm(net(), X, Y, epsilon=epsilon)
    with pytest.raises(TypeError, match=r"threat is float; give Threat\(norm, epsilon, steps=…\)"):
        pgd(net(), X, Y, 0.1)  # type: ignore[arg-type]


def population() -> tuple[Population, Any]:
    recipe = Recipe(ToyImages(train=64, test=10), MLP((4,)), epochs=1)
    data = recipe.data.load()
    return Population(recipe, (0,), train(recipe, data, (0,))), data


def test_words_and_counts_of_measurements() -> None:
    members, data = population()
    for kind in (LLC, Robustness):
        with pytest.raises(RecipeError, match="epochs='All'; it has to be 'final' or 'all'"):
            kind(epochs="All")
    with pytest.raises(RecipeError, match="'hiden' is none of them"):
        LLC(ONE, ("hiden",), points=64).run(members, data, "cpu")
    with pytest.raises(RecipeError, match="this network has none of them"):
        LLC(ONE, ("hidden",), points=64).run(members, data, "cpu")  # a role, which one hidden layer does not have
    assert LLC(ONE, ("all", "hidden"), points=64).run(members, data, "cpu")["scope"].tolist() == ["all"]
    with pytest.raises(ValueError, match="points=65 are asked for, but there are 64 training points"):
        LLC(ONE, points=65).run(members, data, "cpu")
    with pytest.raises(ValueError, match="points=11 are asked for, but there are 10 held-out points"):
        Robustness(points=11).run(members, data, "cpu")


def test_members_that_are_not_finite_are_not_robust() -> None:
    members, data = population()
    members.final[0, 3] = math.nan
    with pytest.raises(ValueError, match=r"parameters of models 0 .* contain NaN or infinity"):
        Robustness().run(members, data, "cpu")


@given(st.integers(1, 9), st.integers(2, 5), st.integers(-2, 7))
def test_class_numbers_are_those_of_the_classes(count: int, classes: int, number: int) -> None:
    given_y = np.full(count, number)
    if 0 <= number < classes:
        assert class_numbers(given_y, count, classes).tolist() == given_y.tolist()
    else:
        with pytest.raises(ValueError, match=f"classes 0 to {classes - 1}"):
            class_numbers(given_y, count, classes)


STORED = {
    "sparse": lambda x: torch.tensor(x).to_sparse(), "compressed": lambda x: torch.tensor(x).to_sparse_csr(),
    "meta": lambda x: torch.tensor(x).to("meta"), "complex": lambda x: torch.tensor(x).to(torch.complex64),
    "quantized": lambda x: torch.quantize_per_tensor(torch.tensor(x), 0.1, 0, torch.qint8),
    "nested": lambda x: torch.nested.nested_tensor(list(torch.tensor(x))), "masked": lambda x: np.ma.array(x, mask=x > 0),
    "text": lambda x: x.astype(str), "objects": lambda x: x.astype(object), "ragged": lambda x: [[1.0], [1.0, 2.0]],
    "a number": lambda x: 1.0, "single values": lambda x: x[:, 0], "no values": lambda x: None,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", STORED)
def test_what_is_no_plain_array_of_real_numbers_is_refused(kind: str) -> None:
    x = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    model, y = torch.nn.Linear(5, 3), np.arange(8) % 3
    for instrument in (smallest_perturbation, llc):
        with pytest.raises((ValueError, TypeError), match=r"inputs|argument"):
            instrument(model, STORED[kind](x), y)  # type: ignore[operator]


SAME = {
    "negative strides": lambda a: a[::-1].copy()[::-1], "big endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "fortran": np.asfortranarray, "long double": lambda a: a.astype(np.longdouble) if a.dtype.kind == "f" else a,
    "unsigned": lambda a: a.astype(np.uint16) if a.dtype.kind == "i" else a,
    "large unsigned": lambda a: a.astype(np.uint64) if a.dtype.kind == "i" else a, "lists": lambda a: a.tolist(),
    "read-only": lambda a: np.broadcast_to(a, a.shape),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAME)
def test_the_same_numbers_in_another_array_give_the_same(kind: str) -> None:
    torch.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    model, y = torch.nn.Linear(5, 3), np.arange(8) % 3
    spec = LLCSpec(sampler="sgld", burn_in=0, draws=1, chains=1, sensitivity_chains=0)
    other = SAME[kind](x), SAME[kind](y)
    assert (smallest_perturbation(model, *other) == smallest_perturbation(model, x, y)).all()
    assert float(llc(model, *other, spec=spec)["llc"][0]) == float(llc(model, x, y, spec=spec)["llc"][0])


def test_targets_are_needed_and_a_device_that_is_there() -> None:
    x, y, model = torch.randn(8, 5), torch.arange(8) % 3, torch.nn.Linear(5, 3)
    with pytest.raises(ValueError, match="targets is None; give one class number for each of the 8 points"):
        pgd(model, x, None, THREAT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no device 'gpu'"):
        pgd(model, x, y, THREAT, device="gpu")
    assert pgd(model, x, y, Threat(epsilon=0.1, steps=np.int64(2))).shape == (1, 8, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("loss", "said"), [
    (lambda z, y: (z - y).square().sum(2).detach(), "has no gradient"), (lambda z, y: 3.0, "the loss returned float"),
    (lambda z, y: (z - y.mul_(2)).square().sum(2), "must not write into its targets"),
])  # fmt: skip
def test_a_loss_that_cannot_be_descended_is_refused(loss: Any, said: str) -> None:
    x, y, model = torch.randn(8, 5), torch.randn(8, 3), torch.nn.Linear(5, 3)
    with pytest.raises(ValueError, match=said):
        llc(model, x, y, loss=loss)
    table = llc(model, x, y, loss=lambda z, y: z.sub_(y).square().sum(2),
                spec=LLCSpec(sampler="sgld", burn_in=0, draws=1, chains=1, sensitivity_chains=0))  # fmt: skip
    assert table["initial_loss"][0] == pytest.approx(float((model(x) - y).detach().square().sum(1).mean()), rel=1e-5)
