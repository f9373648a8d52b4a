"""Lists 名册: what a union does for many at once, on one paper: households, applications, visits, and what goes up together."""
