"""Double entry by two people 双人录入: what takes two people has its effect when a second one has entered the very same."""
