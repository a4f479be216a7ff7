"""`python -m xacbe`: the command line, for where the `xacbe` script is not on the PATH."""

from xacbe.main import main

if __name__ == "__main__":
    main()
