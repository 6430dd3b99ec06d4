"""The command line: each command is a parse, one library call, one print."""
