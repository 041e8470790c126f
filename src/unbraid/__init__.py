"""Unbraid: pull any sound out of a mixture."""
