"""``python -m autometa`` is the command ``autometa``."""

from __future__ import annotations

import sys

from autometa.cli import main

if __name__ == "__main__":
    sys.exit(main())
