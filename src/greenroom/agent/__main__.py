"""`python3 -m greenroom.agent`: the same commands as the archive's."""

from __future__ import annotations

import sys

from .main import main

sys.exit(main(sys.argv[1:]))
