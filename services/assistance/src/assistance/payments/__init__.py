"""Payments 支付: what becomes of each entitlement's money, from the instruction to the bank's last word."""
