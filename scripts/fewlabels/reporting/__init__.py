"""Tables and figures; free of torch."""
