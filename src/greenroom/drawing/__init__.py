"""Pictures that are made here: as SVG, for the terminal's files and for the page."""
