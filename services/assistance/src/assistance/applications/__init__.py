"""Applications for aid: drafted, verified by a visit, posted, submitted, decided with the money reserved, paid, followed up."""
