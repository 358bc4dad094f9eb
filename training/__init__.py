"""How pico, the embedded model, is made: ``python -m training``. Not part of the package."""
