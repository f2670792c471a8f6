"""job-perusal: look at files of a running job while they grow."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clients import main as shared
from clients.session import Session

if TYPE_CHECKING:
    from clients.perusing import Fetched


@shared.command("job-perusal")
@click.argument("jobs", metavar="[JOBID]", nargs=-1)
@click.option("--set", "mode", flag_value="set", help="Have the named files looked at, instead of those before.")
@click.option("--get", "mode", flag_value="get", help="Fetch what is new of the files that are looked at.")
@click.option("--unset", "mode", flag_value="unset", help="Look at no file any more.")
@click.option("--filename", "-f", "names", multiple=True, metavar="NAME", help="A file of the job; with --set again.")
@click.option("--input-file", "names_file", default="", metavar="FILE", help="Names of files, one a line.")
@click.option("--all", "everything", is_flag=True, help="With --get: all that is kept, not only what is new.")
@click.option("--dir", "directory", default="", metavar="PATH",
              help="With --get: make the job's directory here. Default: OutputStorage, else /tmp/jobOutput.")
@click.option("--nodisplay", is_flag=True, help="With --get: only store what was fetched.")
@shared.input_jobs
@shared.output_report
def command(session: Session, jobs: tuple[str, ...], mode: str | None, names: tuple[str, ...], names_file: str,
            everything: bool, directory: str, nodisplay: bool, input_file: str, output: str) -> int:
    """Look at files of a running job: --set which, --get what they hold so far, --unset. The description of the job
    must say PerusalFileEnable = true.
    """
    from clients import choosing, perusal_text, perusing
    from clients.errors import ArgumentMissing, ArgumentWrong, Declined

    if mode is None:
        raise ArgumentMissing("Say what to do: --set, --get or --unset.")
    chosen = choosing.jobs(session, jobs, input_file)
    if len(chosen) != 1:
        raise ArgumentWrong(f"Files of one job are looked at, not of {len(chosen)}.")
    job, files = chosen[0], _names(session, mode, names, names_file)
    ns = session.client().network_server(job)
    if mode == "get":
        parent = os.path.abspath(directory or session.settings.output_storage)
        place, fetched = perusing.fetch(ns, job, parent, files, everything=everything)
        session.deliver(perusal_text.got(job, place, bool(fetched)), output, "Results are stored in the file:")
        session.answer(_document(job, place, fetched))
        if fetched and not nodisplay and session.asks and sys.stdout.isatty():
            _display(fetched)
        return 0
    if mode == "unset" and not session.confirm("Are you sure you want to look at no file of this job any more?"):
        raise Declined("Nothing was changed.")
    perusing.enable(ns, job, files)
    session.deliver(perusal_text.changed(job, files), output, "Results are stored in the file:")
    session.answer({"result": "success", "jobid": job, "files": list(files)})
    return 0


def _names(session: Session, mode: str, names: tuple[str, ...], names_file: str) -> tuple[str, ...]:
    """The files that are meant: those of options and file; --set needs some, --unset takes none."""
    from clients import choosing
    from clients.errors import ArgumentMissing, ArgumentsExclusive, ArgumentWrong

    if names and names_file:
        raise ArgumentsExclusive("--filename and --input-file exclude each other.")
    found = names or tuple(line.strip() for line in choosing.read(names_file).splitlines() if line.strip()) \
        if names or names_file else ()
    if mode == "set" and not found:
        raise ArgumentMissing("Name the files to look at, with --filename or --input-file.")
    if mode == "get" and len(names) > 1:
        raise ArgumentWrong("--get takes one --filename; without it, all files are fetched.")
    if mode == "unset" and found:
        session.warn("Names of files are ignored: with --unset no file is looked at any more.")
        return ()
    return found


def _document(job: str, place: str, fetched: list[Fetched]) -> dict[str, Any]:
    files = [{"name": one.name, "start": one.start, "end": one.end, "path": one.path} for one in fetched]
    return {"result": "success", "jobid": job, "location": place if fetched else "None", "files": files}


def _display(fetched: list[Fetched]) -> None:
    """What was fetched, with the pager of the user."""
    def parts() -> Any:
        for one in fetched:
            yield f"==> {one.name} [{one.start}, {one.end}) <==\n"
            with open(one.path, encoding="utf-8", errors="replace") as file:
                yield from file

    click.echo_via_pager(parts())


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
