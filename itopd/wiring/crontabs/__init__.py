"""Crontabs that call iTop's scripts become jobs: table, words of the shell, commands, calls of scripts, job files."""
