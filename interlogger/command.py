"""`lb-interlogger`: the interlogger on a host that runs nothing else of ours; the same as `wmsd run interlogger`."""

from __future__ import annotations

import os

import click

from wms import daemon


@click.command("lb-interlogger", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", default="", metavar="FILE", help="Configuration: the sections tls and interlogger suffice.")
@click.option("--spool", default="", metavar="DIR", help="Directory of the spool, over the configuration.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warn", "error"]))
def main(config: str, spool: str, log_level: str) -> None:
    """Ship the events that were logged on this host to the servers of their jobs."""
    if spool:
        os.environ["WMS_INTERLOGGER_SPOOL"] = os.path.abspath(spool)
    daemon.main([*(["--config", config] if config else []), "run", "interlogger", "--log-level", log_level])
