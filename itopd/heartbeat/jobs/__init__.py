"""Jobs: parameters files with a schedule, what feeds them and where their results go."""
