"""The console script: answers ``--help`` by itself and leaves everything else to ``main``."""

from __future__ import annotations

import sys

from greenroom.cli.table import first_page


def entry() -> None:
    """What the command ``greenroom`` runs."""
    page = first_page() if sys.argv[1:] in (["--help"], ["-h"]) else None
    if page is not None:
        print(page)  # noqa: T201 -- Click's echo is what this avoids
        return
    from greenroom.cli.main import main

    main()
