"""`python -m ngramspec`, where the folder of the command `ngramspec` is not searched."""

from ngramspec.cli import main

if __name__ == "__main__":
    main()
