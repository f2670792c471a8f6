#!/bin/sh
# proxies.sh up|down DIR - proxies of every kind, made offline for tests.
# Packages: globus-proxy-utils voms-clients openssl
# Nothing runs; "up" makes them anew, "down" removes them.
#   DIR/NAME.rfc        RFC 3820, full        DIR/NAME.limited   RFC, limited
#   DIR/NAME.legacy     Globus 2 style (CN=proxy; OpenSSL cannot verify it)
#   DIR/NAME.deep       proxy of a proxy of a proxy
#   DIR/NAME.short      valid for one minute
#   DIR/NAME.voms       with a VOMS attribute certificate
#   DIR/NAME.vomsnew    the same in the "new format": holder named by issuer
#   DIR/NAME.vomslimited    the same, limited
#   DIR/NAME.vomsold    the same, its attributes over for an hour
#   DIR/NAME.vomsother  signed by a server that the LSC file does not name
#   DIR/NAME.draft      of the draft before RFC 3820 (refused like legacy ones)
# Environment: CA_DIR (DIR/ca), PROXY_USERS ("alice bob"), PROXY_HOURS (12),
#   PROXY_VO (testvo), PROXY_FQANS (group, and production role in /VO/prod)
. "$(dirname "$0")/lib.sh"
rp_args "$@"
USERS=${PROXY_USERS:-alice bob}
HOURS=${PROXY_HOURS:-12}
VO=${PROXY_VO:-testvo}
FQANS=${PROXY_FQANS:-/$VO/Role=NULL/Capability=NULL /$VO/prod/Role=production/Capability=NULL}
KINDS="rfc limited legacy draft deep short voms vomsnew vomslimited vomsold vomsother"

if [ "$RP_CMD" = down ]; then
    for u in $USERS; do for k in $KINDS; do rm -f "$RP_DIR/$u.$k"; done; done
    exit 0
fi
need grid-proxy-init globus-proxy-utils
need voms-proxy-fake voms-clients
TESTCA_VO=$VO TESTCA_USERS=$USERS; export TESTCA_VO TESTCA_USERS
use_ca
X509_CERT_DIR=$CA_DIR/certificates; export X509_CERT_DIR
unset X509_USER_PROXY || true
# voms-proxy-fake complains when it cannot seed from the home directory
RANDFILE=$RP_DIR/.rnd; export RANDFILE; : >> "$RANDFILE"

quiet() { "$@" >"$RP_LOG/last.out" 2>&1 || { cat "$RP_LOG/last.out" >&2; die "failed: $1"; }; }
for u in $USERS; do
    X509_USER_CERT=$CA_DIR/user-$u/usercert.pem
    X509_USER_KEY=$CA_DIR/user-$u/userkey.pem
    export X509_USER_CERT X509_USER_KEY
    init() { quiet grid-proxy-init -q -bits 2048 -valid "$HOURS:00" "$@"; }
    init -rfc -out "$RP_DIR/$u.rfc"
    init -rfc -limited -out "$RP_DIR/$u.limited"
    init -old -out "$RP_DIR/$u.legacy"
    init -draft -out "$RP_DIR/$u.draft"
    quiet grid-proxy-init -q -bits 2048 -rfc -valid 0:1 -out "$RP_DIR/$u.short"
    init -rfc -cert "$RP_DIR/$u.rfc" -key "$RP_DIR/$u.rfc" -out "$RP_DIR/$u.deep1"
    init -rfc -cert "$RP_DIR/$u.deep1" -key "$RP_DIR/$u.deep1" -out "$RP_DIR/$u.deep"
    rm -f "$RP_DIR/$u.deep1"
    # fake NAME AA OPTIONS...: without -path-length -1 the chain may grow by one
    # only; ARC refuses the holder field of -newformat.
    fake() {
        out=$RP_DIR/$u.$1 aa=$2; shift 2
        for f in $FQANS; do set -- "$@" -fqan "$f"; done
        quiet voms-proxy-fake -q -rfc -bits 2048 -hours "$HOURS" -vomslife "$HOURS" \
            -path-length -1 -voms "$VO" -uri localhost:15000 \
            -hostcert "$CA_DIR/$aa/hostcert.pem" -hostkey "$CA_DIR/$aa/hostkey.pem" \
            -cert "$X509_USER_CERT" -key "$X509_USER_KEY" -certdir "$X509_CERT_DIR" \
            -out "$out" "$@"
    }
    fake voms voms
    fake vomsnew voms -newformat
    fake vomslimited voms -limited
    fake vomsold voms -pastac "$((HOURS + 1)):00"
    fake vomsother host
    for k in $KINDS; do emit "PROXY_${u}_$k" "$RP_DIR/$u.$k"; done
done
emit X509_CERT_DIR "$X509_CERT_DIR"
emit X509_VOMS_DIR "$CA_DIR/vomsdir"
emit CA_DIR "$CA_DIR"
