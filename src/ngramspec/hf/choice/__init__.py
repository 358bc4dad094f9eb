"""How a token is chosen from scores, when a text ends, and where its tokens go.

Processors, guards and their masks, sampling, stopping criteria, streams; the scores and the text that they read.
"""
