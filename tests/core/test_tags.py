"""Tags of a job and of a compound: what is recorded at registration."""

from __future__ import annotations

from ns.tags import tags, tags_of_node
from wms.jdl.compounds import compound, understood

TRUE = 'Executable = "/bin/true";'


def test_tags_of_a_job_are_texts() -> None:
    assert tags(understood(f'{TRUE} UserTags = [ run = 7; who = "me"; list = {{1, 2}} ];')) == (
        ("run", "7"), ("who", "me"), ("list", "{ 1, 2 }"))
    assert tags(understood(TRUE)) == ()


def test_a_parametric_job_has_the_tags_that_do_not_depend_on_the_value() -> None:
    text = (f'JobType = "Parametric"; Parameters = 2; {TRUE}'
            'UserTags = [ run = 7; point = "_PARAM_"; number = _PARAM_ ];')
    whole = compound(text)
    assert tags(whole) == (("run", "7"),)
    assert tags_of_node(whole.jdl(1)) == (("run", "7"), ("point", "1"), ("number", "1"))


def test_nodes_without_tags_have_none() -> None:
    whole = compound(f'Type = "Collection"; Nodes = {{ [ {TRUE} ] }}; UserTags = [ run = 7 ];')
    assert (tags(whole), tags_of_node(whole.jdl(0))) == ((("run", "7"),), ())
    assert tags(compound(f'Type = "Collection"; Nodes = {{ [ {TRUE} ] }};')) == ()
