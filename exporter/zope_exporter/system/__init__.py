"""What the operating system is asked for, the same way everywhere."""
