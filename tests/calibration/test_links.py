"""The arrays of studies are judged as the predictions judge a table: link between the simulated rates and the tool."""

import numpy as np
import pytest

from harness.judge import Outcome, judge

from .cells import generator, taken
from .table import CELLS

STUDIES = 10


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_verdict_on_the_table_is_that_of_the_arrays(cell):
    effects = [*cell.terms.nulls, *cell.terms.edges, *((cell.power[0],) if cell.power else ())]
    if "false support" not in cell.asked:
        effects = [cell.power[0]]
    if cell.asked == ("false support",):
        effects = list(cell.terms.nulls)
    outcomes = set()
    for effect in effects:
        studies = -(-STUDIES // len(effects))
        data = cell.draw(effect, studies, generator("link", cell, effect))
        seen = cell.kind.judged(data, cell.terms, generator("second test", cell, effect))
        for i in range(studies):
            verdict = judge(cell.kind.prediction(cell.terms), cell.kind.table(taken(data, i)))
            supported, refuted = verdict.outcome is Outcome.SUPPORTED, verdict.outcome is Outcome.REFUTED
            assert (supported, refuted) == (seen.supported[i], seen.refuted[i]), verdict.reason
            if seen.low is not None:
                assert verdict.estimate.interval == pytest.approx((seen.low[i], seen.high[i]), rel=1e-9, abs=1e-9)
            outcomes.add(verdict.outcome)
    assert Outcome.INVALID not in outcomes


def test_the_links_meet_every_outcome():
    cell = CELLS[0]
    data = np.concatenate([cell.draw(effect, 60, generator("every", effect)) for effect in (0.0, 0.4, 1.2)])
    found = {judge(cell.kind.prediction(cell.terms), cell.kind.table(each)).outcome for each in data}
    assert found == {Outcome.SUPPORTED, Outcome.REFUTED, Outcome.INCONCLUSIVE}
