"""Reconciliation 对账: what the bank says is taken in, what does not fit is shown, and a day that does not agree stops payments."""
