"""Speed and memory of itopd beside straight scripts that do the same job with the raw driver, in the same run."""
