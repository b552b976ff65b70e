"""Other programs that do the same joins; each is a process of its own that reads its task from a JSON file."""
