"""`python -m planimeter`: the command line, for where its script is not on the path."""

from planimeter.commands import main

if __name__ == "__main__":
    main()
