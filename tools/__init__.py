"""What the project is made with, and what is not in the wheel."""
