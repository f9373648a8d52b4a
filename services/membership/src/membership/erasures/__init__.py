"""Erasing persons 个人信息删除: membership owns who is a person, so it gives the order that every service carries out."""
