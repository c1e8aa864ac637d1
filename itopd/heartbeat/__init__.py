"""The heartbeat: what is due, who runs it, and what came of it. It imports no domain package."""
