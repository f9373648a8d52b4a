"""What people are told of a person whose data are erased or withheld; apart from the routes, for the command line says it too."""

from foundation.texts import Language, catalogue


def sentence(state: str, language: Language) -> str:
    """What is said of a state, `restricted` or `erased`."""
    return catalogue("membership.erasures", f"locale/{language}.po")[state]
