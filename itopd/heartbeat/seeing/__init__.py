"""What there is to see of a heartbeat: status, health, the logs of runs."""
