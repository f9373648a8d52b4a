"""Public notices 公示: masked lists that hang for some working days, objections to them, and taking them down."""
