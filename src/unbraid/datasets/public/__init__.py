"""Public datasets: one file for each, and the table of all (`catalog`)."""
