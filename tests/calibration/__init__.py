"""How often the judge is wrong, measured: simulated studies of every kind, as data.

A :class:`~.cells.Cell` is a kind of prediction in a situation; its rates are bounded by ``test_rates.py`` and stand as a row
of docs/method/error-rates.md, which ``python -m tests.calibration`` writes.  Every study is judged by the functions of
``harness.stats`` that the prediction calls, thousands at a time; ``test_links.py`` holds both against each other.
"""
