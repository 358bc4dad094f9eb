"""What is known about a model before it decodes: what its cache can do, its limits, and its untried parts."""
