"""`ngramspec serve`: an OpenAI-compatible service built on `ModelEngine`.

Wings, from the lowest to the highest. Each imports only those below it; `tests/test_architecture.py` enforces that.

    wire       OpenAI's requests, answers and errors, as sent over HTTP
    text       prompts from messages and holes; text from tokens, incrementally
    structure  the form that a request demands of its text, as guards
    engine     the one thread that owns the model: requests in, tokens out
    endpoints  turns a request into jobs of that thread, and their tokens into an answer
    app        routes, keys, limits, metrics

Below all wings: `settings.py`, the operator's configuration.

A request goes down and its answer up: the app reads and bounds the body, the wire checks its fields, text and
structure make its prompt and guard on threads of their own, the engine's thread decodes it together with others, and
endpoints turns its tokens into text and counts, on the event loop.
"""
