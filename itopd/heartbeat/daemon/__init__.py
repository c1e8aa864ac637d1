"""The resident heartbeat and what it tells and hears from the system around it."""
