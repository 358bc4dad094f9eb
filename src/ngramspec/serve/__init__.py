"""`ngramspec serve`: an OpenAI-compatible service on `ModelEngine`.

Wings, from the lowest to the highest; one imports those below it and no others. `tests/test_architecture.py` holds it.

    wire       OpenAI's requests, answers and errors, as they travel
    text       prompts from messages and holes; text from tokens, as they come
    structure  what a request demands of the form of its text, as guards
    engine     the one thread that owns the model: requests in, tokens out
    asking     a request on the wire as jobs of that thread, and their tokens as an answer
    app        routes, keys, limits, metrics

Below all wings: `settings.py`, what the operator has chosen.

A request walks down and its answer up: the app reads and bounds the body, the wire checks its fields, text and
structure make its prompt and guard on threads of their own, the engine's thread decodes it beside the others, and
asking makes text and counts of its tokens, on the event loop.
"""
