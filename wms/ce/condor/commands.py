"""The commands of HTCondor, run on a host: what is asked of the schedd and the collector, and their answers as ads.

Not here: what the answers mean (states, facts), nor which jobs are asked about (backend).
"""

from __future__ import annotations

from collections.abc import Sequence

from wms.ce.condor import answers
from wms.ce.condor.settings import CondorSettings
from wms.ce.condor.states import ATTRIBUTES
from wms.ce.hosts import Completed, Host
from wms.errors import Unavailable

__all__ = ["Condor", "environment"]

_SPOOLING_S = 600.0
"""For a command that carries files to another host or back."""

_SLOT = ("Name", "Machine", "Cpus", "TotalSlotCpus", "SlotType", "State", "Memory", "TotalSlotMemory", "Arch", "OpSys",
         "OpSysName", "OpSysMajorVer", "OpSysAndVer", "OpSysLongName")
_SCHEDD = ("Name", "Machine", "CondorVersion", "TotalRunningJobs", "TotalIdleJobs", "TotalHeldJobs", "MaxJobsRunning",
           "MaxJobsPerOwner")


def environment(settings: CondorSettings) -> dict[str, str]:
    """What the commands are told of us: configuration and credentials, over what the settings say themselves."""
    told = {
        "CONDOR_CONFIG": settings.condor_config,
        "X509_USER_PROXY": settings.proxy,
        "BEARER_TOKEN_FILE": settings.token_file,
        "_condor_SEC_TOKEN_DIRECTORY": settings.token_dir,
        "_condor_SEC_CLIENT_AUTHENTICATION_METHODS": settings.methods,
    }
    return {**{name: value for name, value in told.items() if value}, **settings.environment}


class Condor:
    """One schedd and its pool. Any question may raise `Unavailable`."""

    def __init__(self, settings: CondorSettings, host: Host) -> None:
        self._settings = settings
        self._host = host
        self._pool = ["-pool", settings.pool] if settings.pool else []
        self._schedd = [*self._pool, *(["-name", settings.schedd] if settings.schedd else [])]

    async def submit(self, path: str) -> Completed:
        """All jobs of the file or none; `Completed.stdout` has their ids."""
        where = ["-remote" if self._settings.spool_files else "-name", self._settings.schedd] \
            if self._settings.schedd else ["-spool"] if self._settings.spool_files else []
        return await self._run(["condor_submit", "-terse", *self._pool, *where, path], carries=True)

    async def queued(self, constraint: str, attributes: Sequence[str] = ATTRIBUTES) -> list[answers.Ad]:
        """Ads of the jobs in the queue for which the expression is true."""
        return await self._ads(["condor_q", *self._schedd, "-allusers", "-constraint", constraint, "-json",
                                "-attributes", ",".join(attributes)])

    async def gone(self, constraint: str, most: int) -> list[answers.Ad]:
        """Ads of so many jobs that have left the queue, the latest first."""
        scan = ["-scanlimit", str(self._settings.history_scan)] if self._settings.history_scan else []
        return await self._ads(["condor_history", *self._schedd, "-constraint", constraint, "-match", str(most), *scan,
                                "-json", "-attributes", ",".join(ATTRIBUTES)])

    async def remove(self, constraint: str, *, force: bool = False) -> None:
        """No job may match: that is no error of it. `force`: only jobs that are being removed already."""
        done = await self._run(["condor_rm", *self._schedd, *(["-forcex"] if force else []), "-constraint", constraint])
        text = answers.words(done.stdout, done.stderr)
        if done.status and answers.verdict(text) == "unavailable":
            raise Unavailable(f"condor_rm: {text}")

    async def fetch(self, handle: str) -> bool:
        """Bring the output of a spooled job to where its submit file said; False if there is none."""
        done = await self._run(["condor_transfer_data", *self._schedd, handle], carries=True)
        text = answers.words(done.stdout, done.stderr)
        if done.status and answers.verdict(text) == "unavailable":
            raise Unavailable(f"condor_transfer_data: {text}")
        return done.status == 0

    async def slots(self, constraint: str) -> list[answers.Ad]:
        """Ads of the pool's slots."""
        only = ["-constraint", constraint] if constraint else []
        return await self._ads(["condor_status", *self._pool, *only, "-json", "-attributes", ",".join(_SLOT)])

    async def schedds(self) -> list[answers.Ad]:
        """The ad of our schedd; of all in the pool if it is not named."""
        only = ["-constraint", f'Name =?= "{self._settings.schedd}"'] if self._settings.schedd else []
        return await self._ads(["condor_status", "-schedd", *self._pool, *only, "-json", "-attributes",
                                ",".join(_SCHEDD)])

    async def _ads(self, argv: Sequence[str]) -> list[answers.Ad]:
        done = await self._run(argv)
        if done.status:
            raise Unavailable(f"{argv[0]}: {answers.words(done.stdout, done.stderr)}")
        try:
            return answers.ads(done.stdout)
        except ValueError as error:
            raise Unavailable(f"{argv[0]} answers what is no JSON: {error}") from None

    async def _run(self, argv: Sequence[str], *, carries: bool = False) -> Completed:
        timeout_s = max(self._settings.timeout_s, _SPOOLING_S) if carries and self._settings.spool_files \
            else self._settings.timeout_s
        return await self._host.run(argv, timeout_s=timeout_s, most=_MOST)


_MOST = 256_000_000
"""Bytes: ads of some hundred thousand jobs."""
