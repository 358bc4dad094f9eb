"""Files that others may have made: read within bounds, and replaced whole or not at all."""
