"""The registry of kinds of prediction: one line each.

With its line a kind is in ``harness``, in ``harness.predict`` and in the list of ``python -m harness kinds``.  A line is an
import, so that type checkers and editors know the kind as well; at run time the lines are read (:mod:`harness.registry`), and
a kind is imported once somebody asks for it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.predict.area import AreaDifference as AreaDifference
    from harness.predict.conjunction import AtLeast as AtLeast
    from harness.predict.conjunction import Conjunction as Conjunction
    from harness.predict.correlation import Correlation as Correlation
    from harness.predict.correlation import NoCorrelation as NoCorrelation
    from harness.predict.correlation_difference import CorrelationDifference as CorrelationDifference
    from harness.predict.curves import Peak as Peak
    from harness.predict.exact import DataFact as DataFact
    from harness.predict.exact import Theorem as Theorem
    from harness.predict.independent import IndependentDifference as IndependentDifference
    from harness.predict.landmark import Landmark as Landmark
    from harness.predict.no_change import NoChange as NoChange
    from harness.predict.no_trend import NoTrend as NoTrend
    from harness.predict.oftener import IndependentSuperiority as IndependentSuperiority
    from harness.predict.ordering import Ordering as Ordering
    from harness.predict.paired import PairedDifference as PairedDifference
    from harness.predict.per_sample import PerSampleCorrelation as PerSampleCorrelation
    from harness.predict.proportion import Proportion as Proportion
    from harness.predict.scaling import ScalingExponent as ScalingExponent
    from harness.predict.superiority import Superiority as Superiority
    from harness.predict.trajectory import Trajectory as Trajectory
    from harness.predict.trimmed import IndependentTrimmedDifference as IndependentTrimmedDifference
    from harness.predict.trimmed import TrimmedDifference as TrimmedDifference
