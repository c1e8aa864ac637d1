"""When things run: pure functions from instants to instants."""
