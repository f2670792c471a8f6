"""What only a command can find wrong: its options, files and answers. Codes are those of the field.

Everything that a service can say too is in `wms.errors`.
"""

from __future__ import annotations

from wms.errors import Refused, WmsError


class Usage(Refused):
    """The command line makes no sense."""

    code = "UI_WRONG_OPT"
    exit = 2


class ArgumentMissing(Usage):
    code = "UI_ARG_MISS"


class ArgumentWrong(Usage):
    code = "UI_ARG_MISMATCH"


class ArgumentOutOfLimit(Usage):
    code = "UI_ARG_OUT_OF_LIMIT"


class ArgumentsExclusive(Usage):
    code = "UI_ARG_EXCLUSIVE"


class ListenerReplaced(Refused):
    """Another listener has come for the same notification."""

    code = "LB_NOTIFY_TAKEN"


class JdlFileMissing(Refused):
    code = "UI_JDL_FILE_MISSING"


class FileUnreadable(Refused):
    code = "UI_READ_FILE"


class FileUnwritable(Refused):
    code = "UI_WRITE_FILE"


class FileExists(Refused):
    code = "UI_FILE_EXISTS"


class DirectoryMissing(Refused):
    code = "UI_DIR_NOT_FOUND"


class BadInputFile(Refused):
    code = "UI_BAD_INPUT_FILE"


class KeyExposed(Refused):
    """A private key that others can read."""

    code = "UI_KEY_EXPOSED"


class NoJobId(Refused):
    code = "UI_NO_JOBID"


class NoJobFound(Refused):
    code = "UI_NO_JOB_FOUND"


class AllJobIdsWrong(Refused):
    code = "UI_WRONG_JOBID_ALL"


class NotStarted(WmsError):
    """The job is registered and has an id, but was not started."""

    code = "NS_SUBMIT_FAIL"


class Declined(WmsError):
    """The user answered no, or left the menu."""

    code = "UI_SKIP_QUESTION"
