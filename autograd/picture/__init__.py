"""A graph, or a network, as a picture."""
