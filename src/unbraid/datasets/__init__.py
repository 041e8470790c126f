"""Tracks, mixtures and the music that they are made of."""
