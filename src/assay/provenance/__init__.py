"""What results rest on: code."""
