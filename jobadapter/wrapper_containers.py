"""The part of a job wrapper that runs the payload in a container: POSIX sh around `apptainer exec`.

In the text only when a job asks for it. The tool needs no privilege; what the job may see of the node is listed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobadapter.shell import quoted

__all__ = ["CONTAINER", "Box", "contained", "tried"]

CONTAINER = r"""
# --- container -----------------------------------------------------------------------------------------
wms_box() { # tool and image, before the start is taken: another node may have them
    for wms_boxer in "${GLITE_LOCAL_CONTAINER:-}" apptainer singularity; do
        [ -z "$wms_boxer" ] || ! command -v "$wms_boxer" >/dev/null 2>&1 || break
        wms_boxer=''
    done
    [ -n "$wms_boxer" ] || wms_fatal 'Cannot find apptainer or singularity'
    case $wms_dir in *[:,]*) wms_fatal 'Cannot run the container: a colon or comma in the path of the directory' ;; esac
    wms_image_here
    mkdir ../box || wms_fatal 'Working directory not writable'
    wms_run wms_box_try
    wms_boxed
}

wms_image_here() { # an image that is a file; in a repository that is there, another node has no other
    case $wms_image in docker://* | oras://* | library://*) return ;; esac
    [ ! -e "$wms_image" ] || return 0
    case $wms_image in
    /cvmfs/*/*)
        wms_name=${wms_image#/cvmfs/}
        [ ! -d "/cvmfs/${wms_name%%/*}/." ] || wms_fatal "$wms_image_shown not found or unreadable"
        ;;
    esac
    wms_fatal "Cannot find the container image $wms_image_shown"
}

wms_boxed() { # how the trial ended: 0, 126 and 127 are of a container that runs
    case $wms_status in
    0 | 126 | 127) return ;;
    1) wms_fatal "$wms_program_shown not found or unreadable in the container" ;;
    esac
    wms_said=$(tail -n 1 ../ctl/box)
    wms_said=$(printf '%s' "$wms_said" | tr -c 'A-Za-z0-9 ._~:/@(),=+-' '?' | cut -c 1-300)
    case $wms_said in
    *'manifest unknown'* | *'name unknown'* | *'repository does not exist'* | *'access to the resource is denied'* | \
        *'image does not exist'* | *'not found in library'*)
        wms_fatal "$wms_image_shown not found or unreadable ($wms_said)"
        ;;
    esac
    wms_fatal "Cannot run the container (status $wms_status): $wms_said"
}

wms_seen() { # file that is replaced as the job runs: its directory is what the container has to see -> wms_view
    wms_view=${1%/*}
    case $wms_view in '' | /tmp | /var/tmp | /dev/shm | "$HOME") wms_view=$1 ;; esac
    case $wms_view in /*) ;; *) wms_view='' ;; esac
    case $wms_view in *[:,]*) wms_view='' ;; esac
    [ -n "$wms_view" ] && [ -e "$wms_view" ]
}
"""

_CARRIED = ("X509_USER_PROXY", "X509_CERT_DIR", "BEARER_TOKEN_FILE", "GLITE_WMS_JOBID", "EDG_WL_JOBID",
            "GLITE_WMS_SEQUENCE_CODE", "EDG_WL_SEQUENCE_CODE", "GLITE_WMS_LOG_DESTINATION", "GLITE_WMS_CPU_NUMBER",
            "GLITE_WMS_RB_BROKERINFO", "EDG_WL_RB_BROKERINFO", "CVMFS_MOUNT_DIR", "LANG", "TZ")
"""Variables of the node that a contained payload has as well, beside those of its Environment; no others."""

_ALONE = "--ipc --pid --cleanenv"
"""A parallel job's processes share memory, and find each other by variables of their launcher."""


@dataclass(frozen=True, slots=True)
class Box:
    """A container: `image` is an sh word, `shown` its name in messages; `variables` are carried beside the usual."""

    image: str
    shown: str
    binds: Sequence[str] = ()
    variables: Sequence[str] = ()
    parallel: bool = False


def contained(box: Box) -> list[str]:
    """Lines that put the command in the positional parameters, which begins with `env`, into the container."""
    carried = " ".join(f'${{{name}+{name}="${name}"}}' for name in (*_CARRIED, *box.variables))
    shared = [_bound('"$wms_view"', f'wms_seen "${{{name}:-}}"') for name in ("X509_USER_PROXY", "BEARER_TOKEN_FILE")]
    certificates = '"${X509_CERT_DIR:-/etc/grid-security/certificates}"'
    return [
        "wms_image=" + box.image,
        f"set -- env {carried} \"$@\"",
        'set -- "$wms_image" "$@"',
        *(f"set -- --bind {quoted(bind)} \"$@\"" for bind in box.binds),
        _bound('"${CVMFS_MOUNT_DIR:-/cvmfs}"', '[ -d "${CVMFS_MOUNT_DIR:-/cvmfs}/." ]'),
        _bound(certificates, f"[ -d {certificates} ]"),
        *shared,
        'set -- --no-privs --workdir "$wms_dir/box" --bind "$wms_dir" --pwd "$PWD" "$@"',
        f'set -- "$wms_boxer" --quiet exec --contain {"" if box.parallel else _ALONE} "$@"',
        'export APPTAINERENV_PREPEND_PATH="$wms_dir/bin" SINGULARITYENV_PREPEND_PATH="$wms_dir/bin"',
    ]


def _bound(place: str, condition: str) -> str:
    return f"if {condition}; then set -- --bind {place} \"$@\"; fi"


def tried(box: Box, program: str) -> list[str]:
    """The body of a trial of the container: can it be started, and does it have the program (an sh word)?"""
    return ["exec </dev/null >/dev/null 2>../ctl/box", f"set -- test -r {program}", *contained(box), 'exec "$@"']
