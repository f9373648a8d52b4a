"""History as a transparency log in the public C2SP formats (docs/decisions/0011-transparency-log.md).

Pure: `text`, `note`, `checkpoint`, `origin`, `tiles`, `edge`, `proofs`, `proof_file`, `policy`.
"""
