"""The commands, one module each: `command` is what click runs, `main` the entry point of the process.

The table names the module of every program that is installed; aliases are the names of the field.
"""

from __future__ import annotations

PROGRAMS: dict[str, tuple[str, ...]] = {
    "delegate_proxy": ("job-delegate-proxy", "glite-wms-job-delegate-proxy"),
    "info": ("job-info", "glite-wms-job-info"),
    "submit": ("job-submit", "glite-job-submit", "edg-job-submit"),
    "status": ("job-status", "glite-job-status", "edg-job-status"),
    "cancel": ("job-cancel", "glite-job-cancel", "edg-job-cancel"),
    "output": ("job-output", "glite-job-output", "glite-job-get-output", "edg-job-get-output"),
    "list_match": ("job-list-match", "glite-job-list-match", "edg-job-list-match"),
    "attach": ("job-attach", "glite-job-attach", "glite-wms-job-attach", "edg-job-attach"),
    "perusal": ("job-perusal", "glite-job-perusal", "glite-wms-job-perusal"),
    "logging_info": ("job-logging-info", "glite-job-logging-info", "glite-job-get-logging-info",
                     "edg-job-get-logging-info"),
    "get_chkpt": ("job-get-chkpt", "glite-job-get-chkpt", "glite-wms-job-get-chkpt", "edg-job-get-chkpt"),
    "rescue": ("job-rescue", "glite-job-rescue", "glite-wms-job-rescue"),
    "logevent": ("lb-logevent", "glite-lb-logevent"),
    "lb_job_reg": ("lb-job-reg", "glite-lb-job_reg"),
    "lb_register_sandbox": ("lb-register-sandbox", "glite-lb-register_sandbox"),
    "lb_job_status": ("lb-job-status", "glite-lb-job_status"),
    "lb_job_log": ("lb-job-log", "glite-lb-job_log"),
    "lb_user_jobs": ("lb-user-jobs", "glite-lb-user_jobs"),
    "lb_query": ("lb-query", "glite-lb-query_ext"),
    "lb_notify": ("lb-notify", "glite-lb-notify"),
    "lb_stats": ("lb-stats", "glite-lb-stats", "glite-lb-stats-duration-fromto"),
    "lb_change_acl": ("lb-change-acl", "glite-lb-change_acl"),
    "lb_purge": ("lb-purge", "glite-lb-purge"),
    "lb_dump": ("lb-dump", "glite-lb-dump"),
    "lb_load": ("lb-load", "glite-lb-load"),
}


def console_scripts() -> list[str]:
    """The lines of `console_scripts` in setup.cfg."""
    return [f"{name} = clients.commands.{module}:main"
            for module, names in PROGRAMS.items() for name in names]
