"""Options that the lb-* commands share. Only click is loaded here."""

from __future__ import annotations

import click

server_option = click.option("--server", "-m", default="", metavar="HOST[:PORT]",
                             help="LB server. Default: that of the job; GLITE_WMS_QUERY_SERVER; WMS_LB; as configured.")
