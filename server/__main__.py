"""``python -m server``: the command ``bedside``."""

from server.cli import main

main(prog_name="bedside")
