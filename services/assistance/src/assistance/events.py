"""What assistance reads in its own history."""

from contracts import assistance as own
from contracts.kernel import Catalogue

CATALOGUE = Catalogue.of(own)
