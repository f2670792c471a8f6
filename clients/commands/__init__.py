"""The commands, one module each: `command` is what click runs, `main` the entry point of the process.

The table names the module of every program that is installed; aliases are the names of the field.
"""

from __future__ import annotations

PROGRAMS: dict[str, tuple[str, ...]] = {
    "submit": ("job-submit", "glite-job-submit", "edg-job-submit"),
    "status": ("job-status", "glite-job-status", "edg-job-status"),
    "cancel": ("job-cancel", "glite-job-cancel", "edg-job-cancel"),
    "output": ("job-output", "glite-job-output", "glite-job-get-output", "edg-job-get-output"),
    "list_match": ("job-list-match", "glite-job-list-match", "edg-job-list-match"),
    "logging_info": ("job-logging-info", "glite-job-logging-info", "glite-job-get-logging-info",
                     "edg-job-get-logging-info"),
}


def console_scripts() -> list[str]:
    """The lines of `console_scripts` in setup.cfg."""
    return [f"{name} = clients.commands.{module}:main"
            for module, names in PROGRAMS.items() for name in names]
