"""The studio's server: sessions, files, takes and jobs behind typed routes, and the built page."""
