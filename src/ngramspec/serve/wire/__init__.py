"""OpenAI's requests, answers and errors, as sent over HTTP."""
