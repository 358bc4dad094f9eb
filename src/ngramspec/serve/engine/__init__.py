"""The one thread that owns the model: requests in, tokens out."""
