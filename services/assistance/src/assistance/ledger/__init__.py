"""The books of the budget lines: double entry, vouchers, and each yuan's way from its appropriation to where it is now."""
