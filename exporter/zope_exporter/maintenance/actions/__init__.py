"""What an administrator lets be done to databases: from names and configuration to the engines."""
