"""Measurements against raw limits and peers: every figure a ratio within one run (DESIGN 10). `make bench` runs them all."""
