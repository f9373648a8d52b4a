"""The bank 银行: a port, and the formats that files to and from it have. Money is integer fen."""
