"""Versioned folders and what is archived in them."""
