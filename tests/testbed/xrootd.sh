#!/bin/sh
# xrootd.sh up|down DIR - an XRootD storage server on 127.0.0.1, reachable as
# https:// and davs:// (WebDAV with X.509 and VOMS) and as root:// (GSI).
# Packages: xrootd-server xrootd-server-plugins xrootd-plugins
#   xrootd-voms-plugins xrootd-client-plugins gcc libc6-dev openssl
# Environment:
#   XROOTD_PORT (11094)       root://; +1 is https
#   XROOTD_ACCOUNT (xrootd)   account to run as when the caller is root
#   CA_DIR (DIR/ca)           XROOTD_VO (testvo)
# Members of the VO and the CA's users and service may read and write below
# /data; everybody else gets 403.
. "$(dirname "$0")/lib.sh"
rp_args "$@"
PORT=${XROOTD_PORT:-11094}
HPORT=$((PORT + 1))
VO=${XROOTD_VO:-testvo}
ACCOUNT=${XROOTD_ACCOUNT:-xrootd}
[ "$(id -u)" = 0 ] || ACCOUNT=$(id -un)

if [ "$RP_CMD" = down ]; then stop xrootd 15; exit 0; fi
need xrootd xrootd-server
TESTCA_VO=$VO; export TESTCA_VO
use_ca

if ! alive xrootd; then
    port_must_be_free "$PORT"
    port_must_be_free "$HPORT"
    mkdir -p "$RP_DIR/data" "$RP_DIR/admin" "$RP_DIR/host"
    cp -f "$CA_DIR/host/hostcert.pem" "$CA_DIR/host/hostkey.pem" "$RP_DIR/host/"
    chmod 400 "$RP_DIR/host/hostkey.pem"
    # gridmap: gives the listed certificates the local name "grid"
    for c in "$CA_DIR"/user-*/usercert.pem "$CA_DIR/service/usercert.pem"; do
        printf '"%s" grid\n' "$(openssl x509 -noout -subject -nameopt compat -in "$c" |
            sed 's/^subject=//')"
    done > "$RP_DIR/grid-mapfile"
    cat > "$RP_DIR/authdb" <<DB
u grid /data a
g /$VO /data a
g $VO /data a
DB
    cat > "$RP_DIR/xrootd.cfg" <<CONF
all.role server
all.export /data
oss.localroot $RP_DIR
all.adminpath $RP_DIR/admin
all.pidpath $RP_DIR/admin
xrd.port $PORT
xrd.network nodnr
xrd.tls $RP_DIR/host/hostcert.pem $RP_DIR/host/hostkey.pem
xrd.tlsca certdir $CA_DIR/certificates
xrootd.seclib libXrdSec.so
sec.protocol gsi -certdir:$CA_DIR/certificates -cert:$RP_DIR/host/hostcert.pem -key:$RP_DIR/host/hostkey.pem -crl:0 -gridmap:$RP_DIR/grid-mapfile -gmapopt:2 -vomsfun:libXrdVoms.so -vomsfunparms:certfmt=pem|vos=$VO|grps=/$VO
sec.protbind * only gsi
acc.authdb $RP_DIR/authdb
acc.audit deny
ofs.authorize 1
xrootd.chksum max 2 adler32
xrd.protocol XrdHttp:$HPORT libXrdHttp.so
http.cert $RP_DIR/host/hostcert.pem
http.key $RP_DIR/host/hostkey.pem
http.cadir $CA_DIR/certificates
http.gridmap $RP_DIR/grid-mapfile
http.secxtractor libXrdVoms.so certfmt=pem|vos=$VO
http.listingdeny no
http.exthandler xrdtpc libXrdHttpTPC.so
http.header2cgi Authorization authz
CONF
    if [ "$(id -u)" = 0 ]; then
        chown -R "$ACCOUNT" "$RP_DIR/data" "$RP_DIR/admin" "$RP_DIR/host" "$RP_LOG"
    fi
    X509_VOMS_DIR=$CA_DIR/vomsdir X509_CERT_DIR=$CA_DIR/certificates \
    LD_PRELOAD=$(loopback_only) \
        start_as "$ACCOUNT" xrootd xrootd -c "$RP_DIR/xrootd.cfg" -l "$RP_LOG/xrootd.log" \
            -s "$RP_DIR/admin/xrootd.pid"    # (the environment file goes beside it)
fi
wait_for 30 xrootd port_open "$PORT"
wait_for 30 xrootd port_open "$HPORT"

emit XROOTD_URL "root://localhost:$PORT//data/"
emit STORAGE_URL "https://localhost:$HPORT/data/"
emit STORAGE_ROOT "$RP_DIR/data"
emit X509_CERT_DIR "$CA_DIR/certificates"
emit CA_DIR "$CA_DIR"
