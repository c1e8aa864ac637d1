"""How a claimed run is carried out: here in a child process, or by a worker elsewhere."""
