"""What people write and what it means: studies, recipes, plugs, scales, expectations. Nothing here computes a number."""
