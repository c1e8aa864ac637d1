"""Tests of ``itopd.tasks``."""
