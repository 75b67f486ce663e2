"""The trainer: from a recipe to a network."""
