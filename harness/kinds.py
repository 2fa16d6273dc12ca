"""The registry of kinds of prediction: one line each.

With its line a kind is in ``harness``, in ``harness.predict`` and in the list of ``python -m harness kinds``.  A line is an
import, so that type checkers and editors know the kind as well; at run time the lines are read (:mod:`harness.registry`), and
a kind is imported once somebody asks for it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.predict.conjunction import AtLeast as AtLeast
    from harness.predict.conjunction import Conjunction as Conjunction
    from harness.predict.correlations.correlation import Correlation as Correlation
    from harness.predict.correlations.correlation import NoCorrelation as NoCorrelation
    from harness.predict.correlations.difference import CorrelationDifference as CorrelationDifference
    from harness.predict.correlations.per_sample import PerSampleCorrelation as PerSampleCorrelation
    from harness.predict.curves.landmark import Landmark as Landmark
    from harness.predict.curves.no_trend import NoTrend as NoTrend
    from harness.predict.curves.ordering import Ordering as Ordering
    from harness.predict.curves.peak import Peak as Peak
    from harness.predict.curves.scaling import ScalingExponent as ScalingExponent
    from harness.predict.curves.trajectory import Trajectory as Trajectory
    from harness.predict.differences.area import AreaDifference as AreaDifference
    from harness.predict.differences.independent import IndependentDifference as IndependentDifference
    from harness.predict.differences.no_change import NoChange as NoChange
    from harness.predict.differences.paired import PairedDifference as PairedDifference
    from harness.predict.differences.robust import IndependentSuperiority as IndependentSuperiority
    from harness.predict.differences.robust import IndependentTrimmedDifference as IndependentTrimmedDifference
    from harness.predict.differences.robust import Superiority as Superiority
    from harness.predict.differences.robust import TrimmedDifference as TrimmedDifference
    from harness.predict.exact import DataFact as DataFact
    from harness.predict.exact import Theorem as Theorem
    from harness.predict.proportion import Proportion as Proportion
