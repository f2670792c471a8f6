"""The local CE: this machine as a batch system of `slots` at a time.

`backend` is the CE; `spool` its files, `processes` its payloads, `facts` what it publishes, `settings` its settings.
"""

from wms.ce.local.backend import make

__all__ = ["make"]
