"""The background processes, one module each; ``wiring`` gives them their names, periods and lanes."""
