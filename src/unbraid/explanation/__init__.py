"""Looks into a model: what it attends to while it separates."""
