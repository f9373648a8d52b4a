"""Programmes 帮扶项目: who gets what, on which papers, decided where; as dated, versioned data that is published, not deployed."""
