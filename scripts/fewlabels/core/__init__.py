"""What everything shares: errors, files, command lines, the machine's GPUs. Imports nothing else of the package."""
