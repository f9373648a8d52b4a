"""Who may be helped as a member: what membership says of a person, and when that ended."""
