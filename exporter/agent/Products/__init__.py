# Every egg of a buildout has a Products package of its own, and this finds them all. The style of
# pkg_resources, its declare_namespace, would hide those without an __init__.py.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)
