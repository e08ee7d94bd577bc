"""Progress of a pack: the file Data.fs.pack, which grows until it takes the place of Data.fs."""

from pathlib import Path

from zope_exporter.maintenance.jobs.report import Report


class Growth:
    """Watches the file of one pack and reports what is new; one that dies leaves it behind."""

    def __init__(self, data_fs: Path | None, report: Report) -> None:
        self._path = data_fs and data_fs.with_name(data_fs.name + ".pack")
        self._report = report
        self._leftover = self._stat()
        self._reported = 0
        self._swapped = False

    def look(self) -> None:
        """Report how far it has grown since the last look."""
        found = self._stat()
        if found is not None and found != self._leftover:
            self._report.advance(max(found[1] - self._reported, 0))
            self._reported = max(found[1], self._reported)
        elif found is None and self._reported and not self._swapped:
            self._swapped = True
            self._report.stage("packing: removing blobs and saving the index")

    def writes(self) -> bool:
        """Tell whether a file of this pack is there."""
        found = self._stat()
        return found is not None and found != self._leftover

    def _stat(self) -> tuple[int, int, float] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime
