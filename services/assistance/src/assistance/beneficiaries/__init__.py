"""Beneficiaries: what a person or a household has been granted, so that nothing is granted twice; and whether payments are stopped."""
