"""Pay first, papers later 先给付后补办: emergency payments, what their authorisers owe, and how much they may have open."""
