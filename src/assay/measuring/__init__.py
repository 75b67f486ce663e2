"""What protocols see of a study, and how they are run."""
