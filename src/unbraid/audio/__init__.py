"""Sound in and out: signals, files, rates, spectrograms, windows."""
