"""Listening tests: from stems of several methods to a page that people judge them on, and from answers to a verdict."""
