"""What is known of a model before it decodes: what its cache can do, its limits, and its untried parts."""
