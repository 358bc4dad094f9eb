"""Models with untried parts: a call is decoded plainly and watched before anything is drafted."""
