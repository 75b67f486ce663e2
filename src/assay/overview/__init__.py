"""How the whole stands: which rows work, and what they cost."""
