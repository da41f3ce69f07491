"""A class registered with the host's abstract one."""

from the_host import Exporter


@Exporter.register
class Csv:
    def export(self) -> str:
        return ""


assert issubclass(Csv, Exporter)
assert not isinstance(3, Exporter)
