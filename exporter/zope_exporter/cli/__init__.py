"""The command `zope-exporter`: one file a command.

A module that declares a command imports nothing but click and what is as light: all of them are
imported to print the help of one. What does the work is imported in the command's own function,
else every command would begin with half a second of imports that only `serve` needs.
"""
