"""What matching asks on behalf of whom: the job's side of a match, and the requirements of the site.

Not the CE's side (wms.resource) nor the matching.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from wm.matching.replicas import NOTHING, Replicas
from wms.jdl.ast import Ad, Node, node
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import bind
from wms.jdl.parser import parse_expression
from wms.jdl.values import Prepared, Value

AUTHORISATION = "authorisation"
_RULES = "other.GlueCEAccessControlBaseRule"
WMS_REQUIREMENTS: Mapping[str, str] = {
    AUTHORISATION:
        f"isUndefined({_RULES}) || (member(VORule, {_RULES}) || member(CertificateSubject, {_RULES})"
        f" || fqanMember(VOMSRule, {_RULES})) && fqanMember(DenyRule, {_RULES}) =!= true",
    "short deadline":
        'regExp("sdj$", other.GlueCEUniqueID) == (ShortDeadlineJob =?= true)',
    "capacity":
        "isUndefined(other.GlueCEPolicyMaxTotalJobs) || other.GlueCEPolicyMaxTotalJobs == 0"
        " || isUndefined(other.GlueCEStateTotalJobs)"
        " || other.GlueCEStateTotalJobs < other.GlueCEPolicyMaxTotalJobs",
    "output SE":
        "isUndefined(OutputSE) || member(OutputSE, other.GlueCESEBindGroupSEUniqueID)",
}
"""The default requirements of a site by name. A CE that publishes no access rule is open to all VOs, one
without figures is never full, and the output SE is the one that the job names. Beside the attributes of the
job there are CertificateSubject, VirtualOrganisation, VOMS_FQAN, and the access rules that these make: VORule
("VO:atlas"), VOMSRule ("VOMS:/atlas/Role=pilot") and DenyRule."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the site asks of every match beside the user's Requirements; `host` is the broker's name."""

    requirements: tuple[tuple[str, Node], ...]
    host: str = "this broker"


def site(texts: Mapping[str, str] = WMS_REQUIREMENTS, host: str = "this broker") -> Site:
    """From the text of each requirement by its name; raises `JdlError` for one that cannot be read."""
    return Site(tuple((name, parse_expression(text, name)) for name, text in texts.items()), host)


SITE = site()


@dataclass(frozen=True)
class Request:
    """What is known of a job that is to be matched.

    `owner` (a DN), `fqans` (the first is the primary one) and `vo` were authenticated: they hide attributes
    of the same meaning in the description. `previous` are the hosts of earlier attempts. `submitted` is epoch
    seconds; a request expires by its age unless its description says when. `replicas` is what catalogues say
    of the job's input data. `jdl` is the text of the description, where somebody may want to see it again.
    """

    id: str
    description: JobDescription
    owner: str
    fqans: tuple[str, ...] = ()
    vo: str = ""
    previous: tuple[str, ...] = ()
    attempt: int = 0
    submitted: float = 0.0
    tries: int = 0
    replicas: Replicas = NOTHING
    jdl: str = field(default="", compare=False, repr=False)

    @cached_property
    def ad(self) -> Ad:
        """The description as expressions see it, with who asks."""
        fqan = self.fqans[0] if self.fqans else ""
        known = {"CertificateSubject": self.owner, "VirtualOrganisation": self.vo, "VOMS_FQAN": fqan,
                 "VORule": self.vo and "VO:" + self.vo, "VOMSRule": fqan and "VOMS:" + fqan,
                 "DenyRule": fqan and "DENY:" + fqan}
        return self.description.ad.changed({
            name: node(value) if value else None for name, value in known.items()})

    def bound(self, expression: Node, now: float) -> Callable[[Prepared], Value]:
        """An expression of the job or the site as a function of a CE; `time()` is `now`."""
        return bind(expression, self.ad, now=now)
