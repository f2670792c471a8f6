"""The transition matrix of the original state machine, executed cell by cell: rows of equal behaviour.

Cell: the resulting state; `!` late, `~` ignored, `?` suspect. Columns: the state before, RR is Running with
an elected attempt. Events: type[sources](results).
"""

COLUMNS = ["Su", "Wa", "Re", "Sc", "Ru", "RR", "Do", "Cl", "Ab", "Ca"]

ROWS = (
    ("Su~ Wa~ Re~ Sc~ Ru~ Ru~ Do~ Cl~ Ab~ Ca~",
     "Transfer[UI,JC,LM](START/REFUSED); EnQueued[NS,WM,LM](START/REFUSED)"),
    ("Wa Wa Wa Wa Wa Wa Wa Cl! Ab! Ca!",
     "Transfer[UI](OK); Accepted[NS]; EnQueued[NS,LM](OK); EnQueued[NS](FAIL); "
     "HelperCall[BH]; HelperReturn[BH]; Match[BH]; Pending[BH]"),
    ("Su Su Su Su Su Su Su Cl! Ab! Ca!",
     "Transfer[UI](FAIL); Refused[NS]"),
    ("Su? Wa? Re? Sc? Ru? Ru? Do? Cl? Ab? Ca?",
     "Accepted[UI,WM,BH,JC,APP]; Refused[UI,WM,BH,JC,APP]; "
     "EnQueued[UI,BH,JC,LRMS,APP](START/OK/REFUSED/FAIL); DeQueued[UI,NS,BH,LM,LRMS,APP]; "
     "Transfer[NS,WM,BH,LRMS,APP](START/OK/REFUSED/FAIL)"),
    ("Re Re Re Re Ru! Ru! Do! Cl! Ab! Ca!",
     "EnQueued[WM](OK); Transfer[JC,LM](FAIL); DeQueued[JC]; Accepted[LM]"),
    ("Wa Wa Wa Wa Wa Ru! Wa Cl! Ab! Ca!",
     "EnQueued[WM](FAIL); DeQueued[WM]; HelperCall[WM]; HelperReturn[WM]; Match[WM]; "
     "Pending[WM]"),
    ("Re Re Re Re Re Re Re Cl! Ab! Ca!",
     "Transfer[JC](OK); Refused[LM,LRMS]"),
    ("Sc Sc Sc Sc Ru! Ru! Do! Cl! Ab! Ca!",
     "Transfer[LM](OK)"),
    ("Su Wa Re Sc Ru Ru Do Cl! Ab! Ca!",
     "EnQueued[LM](FAIL); Suspend[LM,LRMS]; Resume[LM,LRMS]; "
     "Done[LRMS](OK/FAILED/CANCELLED/KILLED); Resubmission[LM](WILLRESUB/WONTRESUB/SHALLOW); "
     "Cancel[UI,NS,LM](REQ/REFUSE/ABORT); Purge[NS]; UserTag[UI,APP]; ResourceUsage[LRMS]; "
     "Chkpt[APP]; Listener[UI]; Sandbox[NS]; GrantPayloadOwnership[APP]; "
     "TakePayloadOwnership[APP]"),
    ("Sc Sc Sc Sc Sc Sc Sc Cl! Ab! Ca!",
     "Accepted[LRMS]"),
    ("Ru Ru Ru Ru Ru Ru Ru Cl! Ab! Ca!",
     "Running[LM,LRMS]; ReallyRunning[LM,LRMS]"),
    ("Do Do Do Do Do Do Do Cl! Ab! Ca!",
     "Done[LM](OK/FAILED)"),
    ("Ca Ca Ca Ca Ca Ca Ca Cl! Ab! Ca!",
     "Done[LM](CANCELLED); Cancel[UI,NS,LM](DONE)"),
    ("Do? Do? Do? Do? Do? Do? Do? Cl? Ab? Ca?",
     "Done[LM](KILLED)"),
    ("Su Wa Re Sc Ru Ru! Do Cl! Ab! Ca!",
     "Resubmission[WM](WILLRESUB/WONTRESUB/SHALLOW); Cancel[WM](REQ/REFUSE/ABORT); "
     "CurDescr[WM]"),
    ("Ca Ca Ca Ca Ca Ru! Ca Cl! Ab! Ca!",
     "Cancel[WM](DONE)"),
    ("Ab Ab Ab Ab Ab Ab Ab Cl! Ab! Ca!",
     "Abort[NS,JC,LM]"),
    ("Ab Ab Ab Ab Ab Ab Ab Ab Ab Ab",
     "Abort[WM]"),
    ("Cl Cl Cl Cl Cl Cl Cl Cl! Ab! Ca!",
     "Clear[NS](USER/TIMEOUT/NOOUTPUT)"),
    ("Ru Ru Ru Ru Ru Ru Ru Cl! Ru Ca!",
     "CollectionState[LBS](Running)"),
    ("Do Do Do Do Do Do Do Cl! Do Ca!",
     "CollectionState[LBS](Done)"),
    ("Ab Ab Ab Ab Ab Ab Ab Cl! Ab Ca!",
     "CollectionState[LBS](Aborted)"),
    ("Wa Wa Wa Wa Wa Wa Wa Cl! Wa Ca!",
     "CollectionState[LBS](Waiting)"),
    ("Cl Cl Cl Cl Cl Cl Cl Cl! Cl Ca!",
     "CollectionState[LBS](Cleared)"),
)
