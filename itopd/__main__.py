"""``python -m itopd``."""

from itopd.cli import main

main()
