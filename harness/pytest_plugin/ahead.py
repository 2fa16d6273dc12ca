"""What an engine is given before the first claim runs: all networks that the claims are known to ask for, as one pile.

Claims run one after the other, and each waits for what it asks for.  Without this, an engine of a hundred nodes would train one
claim's networks at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.engines import EngineError
from harness.pytest_plugin.collect import claim_id
from harness.pytest_plugin.given import design_of

if TYPE_CHECKING:
    from harness.pytest_plugin.outcome import Settings
    from harness.running.session import Harness


class Ahead:
    """Hooks of a process that runs claims on an engine.

    With workers each of them asks for the same pile; what one has sent is locked for the others.

    Args:
        settings: what the session was asked for.
        harness: the session's.
    """

    def __init__(self, settings: Settings, harness: Callable[[], Harness]) -> None:
        self._settings, self._harness = settings, harness

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Let the engine train; what fails there fails again where a claim asks for it, with its reason in that claim's row.

        Raises:
            pytest.UsageError: the engine cannot be used.
        """
        claims = [item for item in session.items if claim_id(item) is not None]
        if not claims or session.config.option.collectonly or session.testsfailed:
            return
        from harness.running.ahead import train_ahead

        designs = [design_of(item, self._settings.scale) for item in claims]  # type: ignore[arg-type]
        try:
            train_ahead(self._harness().store, [wanted for design in designs for wanted in design.recipes])
        except EngineError as problem:
            if not hasattr(session.config, "workerinput"):
                raise pytest.UsageError(f"--claims-engine {session.config.getoption('claims_engine')}: {problem}") from None
