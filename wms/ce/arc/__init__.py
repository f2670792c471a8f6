"""ARC computing elements, by the REST interface of A-REX."""
