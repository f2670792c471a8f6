#!/bin/sh
# bdii.sh up|down DIR - a directory of resources (OpenLDAP with the GLUE schemas) on 127.0.0.1, as a BDII is one.
# Packages: slapd, ldap-utils, glue-schema
# Environment:
#   BDII_PORT (12170)
#   BDII_LDIF          directory of grid.ldif and glue.ldif to load at the start
# Everybody may read o=grid (GLUE 1.3) and o=glue (GLUE 2); ldapmodify as "o=grid" or "o=glue" with BDII_PASSWORD.
# The programs of the BDII itself are not used: Debian 12 has a bdii-update that cannot write to its OpenLDAP.
. "$(dirname "$0")/lib.sh"
rp_args "$@"
PORT=${BDII_PORT:-12170}
PASSWORD=secret
URL=ldap://127.0.0.1:$PORT
SCHEMA=/etc/ldap/schema

if [ "$RP_CMD" = down ]; then stop slapd 20; exit 0; fi
need slapd slapd
need ldapadd ldap-utils
[ -f $SCHEMA/GLUE20.schema ] || die "install the Debian package glue-schema"

if ! alive slapd; then
    port_must_be_free "$PORT"
    rm -rf "$RP_DIR/db"
    mkdir -p "$RP_DIR/db/grid" "$RP_DIR/db/glue"
    {
        for name in core cosine nis; do echo "include $SCHEMA/$name.schema"; done
        for name in CORE MDS CE CESEBind SE; do echo "include $SCHEMA/Glue-$name.schema"; done
        cat <<CONF
include $SCHEMA/GLUE20.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $RP_RUN/slapd.pid
sizelimit size.soft=2000 size.hard=2000 size.prtotal=unlimited
threads 4
CONF
        for name in grid glue; do
            cat <<CONF
database mdb
suffix "o=$name"
rootdn "o=$name"
rootpw $PASSWORD
directory $RP_DIR/db/$name
maxsize 1073741824
dbnosync
index objectClass eq
CONF
        done
    } > "$RP_DIR/slapd.conf"
    chmod 600 "$RP_DIR/slapd.conf"
    start slapd slapd -d 0 -f "$RP_DIR/slapd.conf" -h "$URL"
    wait_for 20 slapd ldapsearch -x -LLL -H "$URL" -s base -b '' namingContexts
    ldapadd -x -H "$URL" -D o=grid -w "$PASSWORD" >/dev/null <<'LDIF'
dn: o=grid
objectClass: organization
o: grid

dn: mds-vo-name=local,o=grid
objectClass: MDS
mds-vo-name: local
LDIF
    ldapadd -x -H "$URL" -D o=glue -w "$PASSWORD" >/dev/null <<'LDIF'
dn: o=glue
objectClass: organization
o: glue

dn: GLUE2GroupID=grid,o=glue
objectClass: GLUE2Group
GLUE2GroupID: grid
LDIF
    if [ -n "${BDII_LDIF:-}" ]; then
        for name in grid glue; do
            ldapadd -x -H "$URL" -D "o=$name" -w "$PASSWORD" -f "$BDII_LDIF/$name.ldif" >/dev/null
        done
    fi
fi
wait_for 20 slapd ldapsearch -x -LLL -H "$URL" -s base -b '' namingContexts

emit BDII_URL "$URL"
emit BDII_GLUE13 "$URL/mds-vo-name=local,o=grid"
emit BDII_GLUE2 "$URL/o=glue"
emit BDII_PASSWORD "$PASSWORD"
