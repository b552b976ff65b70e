"""Two releases never undo each other: what left, what it gives away together, and what a new one must withhold."""
