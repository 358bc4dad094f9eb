"""OpenAI's requests, answers and errors, as they travel."""
