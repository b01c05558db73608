"""One folder a competition."""
