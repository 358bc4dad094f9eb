"""The service: routes, keys, limits, metrics."""
