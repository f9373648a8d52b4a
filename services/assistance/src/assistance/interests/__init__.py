"""Declared interests 利害关系回避: whose relatives and affairs a cadre keeps out of."""
