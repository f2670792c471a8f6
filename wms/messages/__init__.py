"""The records daemons send each other through the queue; a topic is the name of the daemon that reads it.

Every message about an attempt carries (job, attempt, sequence code); a message about a closed attempt has no
effect. Here: the reader of any. `topics`: who reads what; `record`: the base; `submission`, `attempts`, `questions` and
`credentials`: the messages, by what they are about. Not the remote operations of users: those are in wms.operations.
"""

from __future__ import annotations

import msgspec

from wms.messages import attempts, credentials, questions, submission

__all__ = ["AnyMessage", "decode"]

AnyMessage = attempts.Message | credentials.Message | questions.Message | submission.Message
decode = msgspec.json.Decoder(AnyMessage).decode
