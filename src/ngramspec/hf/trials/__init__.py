"""Models with parts that nobody has tried: a call is decoded plainly and watched, before anything is drafted."""
