"""A handler and a filter of the plugin's own classes."""

import logging


class Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None: ...


class Filter(logging.Filter): ...


logging.getLogger(__name__).debug("a logger that is named after a module of the generation")
logging.getLogger().addHandler(Handler())
logging.getLogger("the_host").addFilter(Filter())
