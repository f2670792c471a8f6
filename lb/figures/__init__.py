"""Statistics, counters, and the service about itself."""
