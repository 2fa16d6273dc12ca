"""``python -m harness``: what can be done with claims outside a test run."""

from __future__ import annotations

import sys

from harness.cli import main

sys.exit(main())
