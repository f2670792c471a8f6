"""The part of a job wrapper that lets files be looked at while they grow: POSIX sh functions.

The service says which files and how much of each it has, so nothing is remembered here between two looks.
"""

from __future__ import annotations

__all__ = ["PERUSAL"]

PERUSAL = r"""
# --- perusal -------------------------------------------------------------------------------------------
wms_peek_at() { # file, its name in URLs: what is new of it since wms_at
    wms_size=$(($(wc -c <"$1")))
    [ "$((wms_size - wms_at))" -le "$wms_peek_most" ] || wms_at=$((wms_size - wms_peek_most))
    while [ "$wms_at" -lt "$wms_size" ]; do
        wms_part "$1" "$wms_peek_part" peek
        wms_request "$wms_base/perusal/$2/$wms_at" 60 ../ctl/peek.reply >../ctl/peek.put
        printf 'upload-file = "../ctl/part.peek"\n' >>../ctl/peek.put
        wms_before=$wms_at
        wms_ask peek.put
        [ "$wms_codes" = 200 ] || return 0
        wms_place ../ctl/peek.reply
        [ "$wms_at" -gt "$wms_before" ] || return 0
    done
}

wms_peek() { # one look at all files that are asked for
    : >../ctl/peek.list
    wms_request "$wms_base/perusal" 60 ../ctl/peek.list >../ctl/peek
    wms_ask peek
    [ "$wms_codes" = 200 ] || return 0
    while read -r wms_at wms_url wms_name; do
        if wms_ready "./$wms_name"; then wms_peek_at "./$wms_name" "$wms_url"; fi
    done <../ctl/peek.list
}

wms_peruse() { # a look each period
    wms_mortal perusing
    while :; do
        wms_pause "$wms_peek_period"
        wms_peek
    done
}

wms_look() { # beside the payload
    wms_peruse </dev/null >/dev/null 2>&1 &
    wms_looker=$!
    wms_beside="$wms_beside $wms_looker"
}

wms_looked() { # after the payload: a last look
    wms_end perusing "$wms_looker"
    wms_peek
}
"""
