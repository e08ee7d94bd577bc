"""The error that a storage goes on giving after the pack that caused it is long over."""

ALREADY = "already packing"


def explained(reason: str) -> str:
    """Add to an error what an administrator has to know of it."""
    if ALREADY not in reason.lower():
        return reason
    return (
        f"{reason}: either another pack runs, and Data.fs.pack grows; or an earlier one failed to"
        " remove Data.fs.old, after which the storage says so until Zope or ZEO is restarted"
    )
