"""Members: how somebody comes to a union, moves with the employment, and ends; one stream per person, so one active membership."""
