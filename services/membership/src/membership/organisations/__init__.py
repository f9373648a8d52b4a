"""Unions and the tree they form, as it stood or will stand on any day."""
