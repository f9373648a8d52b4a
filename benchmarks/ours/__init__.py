"""Tongxin's side of every measurement, each a program of its own."""
