"""Tests of ``itopd.mail``."""
