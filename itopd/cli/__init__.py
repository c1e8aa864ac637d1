"""The command line: one edge of three."""


def main() -> None:
    """Run the command line."""
