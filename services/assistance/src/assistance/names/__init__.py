"""Names of people who asked for aid, for those who may see them."""
