"""Separators: one file each."""
