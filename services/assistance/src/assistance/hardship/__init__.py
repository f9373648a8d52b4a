"""Hardship files 困难职工档案: one live file per household, dated levels, checks, reviews, lifting out and call-back."""
