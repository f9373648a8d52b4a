"""Rosters 花名册: importing the members of a union from HR's or an older system's table."""
