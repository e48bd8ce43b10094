"""The report as one HTML page: its sections, their tables and drawings, and the templates."""
