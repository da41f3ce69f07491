"""One log file a plugin, written by every worker: what a plugin logs, and what Hotbay says about it."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

PREFIX = "hotbay.plugin"
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(message)s"


class PluginLogs(logging.Handler):
    """Sends each plugin's records to `<plugin>.log`. Appending short lines is atomic, so workers may share a file.

    The files may be moved away at any time (logrotate): they are made anew.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._files: dict[str, logging.Handler] = {}
        self.setFormatter(logging.Formatter(_FORMAT))

    def install(self) -> None:
        """Listen to all plugins' loggers; safe to repeat."""
        self.folder.mkdir(parents=True, exist_ok=True)
        root = logging.getLogger(PREFIX)
        root.setLevel(logging.INFO)
        for old in [item for item in root.handlers if isinstance(item, PluginLogs)]:
            root.removeHandler(old)
            old.close()
        root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record into its plugin's file."""
        plugin = record.name.removeprefix(PREFIX).lstrip(".").partition(".")[0]
        if not plugin:
            return
        if plugin not in self._files:
            handler = logging.handlers.WatchedFileHandler(self.folder / f"{plugin}.log", encoding="utf-8", delay=True)
            handler.setFormatter(self.formatter)
            self._files[plugin] = handler
        self._files[plugin].handle(record)

    def close(self) -> None:
        """Close all files; safe to repeat."""
        for handler in self._files.values():
            handler.close()
        self._files.clear()
        logging.getLogger(PREFIX).removeHandler(self)
        super().close()
