"""The agents inside Zope processes, from outside: finding them, asking them, installing them."""
