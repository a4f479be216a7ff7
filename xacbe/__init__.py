"""The `xacbe` command line, one module per noun; what a command needs is imported when it runs."""
