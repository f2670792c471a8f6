#!/bin/sh
# voms.sh up|down DIR - a VOMS server that issues real attribute certificates.
# Packages: voms-server voms-mysql-plugin mariadb-server gcc libc6-dev
#   clients: voms-clients
# Environment:
#   VOMS_PORT (15000)    VOMS_DB_PORT (one more): of its MariaDB
#   VOMS_VO (testvo)     CA_DIR (DIR/ca)
#   VOMS_MEMBERS         "DN|FQAN,FQAN..." one per line; default: the CA's
#                        alice (with Role=production in /VO/prod) and bob
# The member list is loaded anew at each "up", also on a running server.
. "$(dirname "$0")/lib.sh"
rp_args "$@"
PORT=${VOMS_PORT:-15000}
VO=${VOMS_VO:-testvo}

if [ "$RP_CMD" = down ]; then
    stop voms 10
    [ ! -d "$RP_DIR/mariadb" ] || "$RP_SCRIPTS/mariadb.sh" down "$RP_DIR/mariadb"
    exit 0
fi
need voms voms-server
PLUGIN=/usr/lib/voms/libvomsmysql.so
[ -f $PLUGIN ] || die "install the Debian package voms-mysql-plugin"
TESTCA_VO=$VO; export TESTCA_VO
use_ca

eval "$(MARIADB_PORT=${VOMS_DB_PORT:-$((PORT + 1))} "$RP_SCRIPTS/mariadb.sh" up "$RP_DIR/mariadb")"

# -- data base: schema version 3, reduced to the tables the daemon reads -------
PEOPLE=/DC=org/DC=example/OU=People
MEMBERS=${VOMS_MEMBERS:-"$PEOPLE/CN=alice|/$VO,/$VO/prod,/$VO/prod/Role=production
$PEOPLE/CN=bob|/$VO"}
{
    cat <<SQL
CREATE DATABASE IF NOT EXISTS voms_test CHARACTER SET latin1; USE voms_test;
CREATE USER IF NOT EXISTS 'voms'@'127.0.0.1' IDENTIFIED BY 'voms';
GRANT ALL ON voms_test.* TO 'voms'@'127.0.0.1';
CREATE TABLE IF NOT EXISTS version (version INT NOT NULL);
CREATE TABLE IF NOT EXISTS seqnumber (seq VARCHAR(255) NOT NULL);
CREATE TABLE IF NOT EXISTS ca (cid SMALLINT PRIMARY KEY, subject_string VARCHAR(255) NOT NULL);
CREATE TABLE IF NOT EXISTS usr (userid BIGINT PRIMARY KEY, dn VARCHAR(255));
CREATE TABLE IF NOT EXISTS certificate (usr_id BIGINT NOT NULL, ca_id SMALLINT NOT NULL,
    subject_string VARCHAR(255) NOT NULL, suspended TINYINT NOT NULL DEFAULT 0,
    suspended_reason VARCHAR(255));
CREATE TABLE IF NOT EXISTS \`groups\` (gid BIGINT PRIMARY KEY AUTO_INCREMENT,
    dn VARCHAR(255) UNIQUE, parent BIGINT, must TINYINT NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS roles (rid BIGINT PRIMARY KEY AUTO_INCREMENT, role VARCHAR(255) UNIQUE);
CREATE TABLE IF NOT EXISTS m (userid BIGINT NOT NULL, gid BIGINT NOT NULL, rid BIGINT, cid BIGINT);
CREATE TABLE IF NOT EXISTS attributes (a_id BIGINT PRIMARY KEY AUTO_INCREMENT, a_name VARCHAR(255) UNIQUE);
CREATE TABLE IF NOT EXISTS usr_attrs (u_id BIGINT, a_id BIGINT, a_value VARCHAR(255));
CREATE TABLE IF NOT EXISTS group_attrs (g_id BIGINT, a_id BIGINT, a_value VARCHAR(255));
CREATE TABLE IF NOT EXISTS role_attrs (g_id BIGINT, r_id BIGINT, a_id BIGINT, a_value VARCHAR(255));
START TRANSACTION;
DELETE FROM version; INSERT INTO version VALUES (3);
INSERT INTO seqnumber SELECT '01' WHERE NOT EXISTS (SELECT * FROM seqnumber);
DELETE FROM ca; INSERT INTO ca VALUES (1, '/DC=org/DC=example/CN=Test CA');
DELETE FROM certificate; DELETE FROM m; DELETE FROM usr;
SQL
    uid=0
    printf '%s\n' "$MEMBERS" | while IFS='|' read -r dn fqans; do
        uid=$((uid + 1))
        echo "INSERT INTO usr VALUES ($uid, '$dn');"
        echo "INSERT INTO certificate (usr_id, ca_id, subject_string) VALUES ($uid, 1, '$dn');"
        echo "$fqans" | tr , '\n' | while read -r fqan; do
            group=${fqan%%/Role=*}
            echo "INSERT IGNORE INTO \`groups\` (dn) VALUES ('$group');"
            role=NULL
            if [ "$group" != "$fqan" ]; then
                echo "INSERT IGNORE INTO roles (role) VALUES ('${fqan##*/Role=}');"
                role="(SELECT rid FROM roles WHERE role = '${fqan##*/Role=}')"
            fi
            echo "INSERT INTO m (userid, gid, rid) SELECT $uid, gid, $role FROM \`groups\` WHERE dn = '$group';"
        done
    done
    echo "COMMIT;"
} | mariadb -S "$MARIADB_SOCKET" -u root || die "loading the VO failed"

if ! alive voms; then
    port_must_be_free "$PORT"
    mkdir -p "$RP_DIR/host"; chmod 700 "$RP_DIR/host"
    cp "$CA_DIR/voms/hostcert.pem" "$CA_DIR/voms/hostkey.pem" "$RP_DIR/host/"
    chmod 600 "$RP_DIR/host/hostkey.pem"
    echo voms > "$RP_DIR/voms.pass"
    chmod 640 "$RP_DIR/voms.pass"           # it refuses any other mode
    cat > "$RP_DIR/voms.conf" <<CONF
--x509_cert_dir=$CA_DIR/certificates
--x509_user_cert=$RP_DIR/host/hostcert.pem
--x509_user_key=$RP_DIR/host/hostkey.pem
--vo=$VO
--port=$PORT
--uri=localhost:$PORT
--code=$PORT
--dbname=voms_test
--username=voms
--contactstring=127.0.0.1
--mysql-port=$MARIADB_PORT
--passfile=$RP_DIR/voms.pass
--sqlloc=$PLUGIN
--logfile=$RP_LOG/voms.log
--loglevel=4
--logtype=7
--timeout=86400
--backlog=50
--socktimeout=60
CONF
    # It always forks twice (also with -foreground) and leaves no pid file:
    # find it by its command line, which names our configuration file.
    LD_PRELOAD=$(loopback_only) voms -conf "$RP_DIR/voms.conf" \
        </dev/null >"$RP_LOG/voms.out" 2>&1 || die "$(cat "$RP_LOG/voms.out")"
    wait_for 20 - port_open "$PORT"
    voms_pid() {
        for p in /proc/[0-9]*; do
            c=$( (tr '\0' ' ' < "$p/cmdline") 2>/dev/null) || continue
            if [ "$c" = "voms -conf $RP_DIR/voms.conf " ]; then
                echo "${p#/proc/}"; return 0
            fi
        done
        return 1
    }
    note_pid voms "$(voms_pid)"
fi
wait_for 20 voms port_open "$PORT"

# the client's configuration: "nick" "host" "port" "server DN" "VO"
mkdir -p "$RP_DIR/vomses"
printf '"%s" "localhost" "%s" "%s" "%s"\n' "$VO" "$PORT" \
    "/DC=org/DC=example/OU=VOMS/CN=localhost" "$VO" > "$RP_DIR/vomses/$VO"

emit VOMS_VO "$VO"
emit VOMS_ENDPOINT "localhost:$PORT"
emit VOMS_USERCONF "$RP_DIR/vomses"         # for voms-proxy-init -vomses
emit X509_VOMSES "$RP_DIR/vomses"
emit X509_CERT_DIR "$CA_DIR/certificates"
emit X509_VOMS_DIR "$CA_DIR/vomsdir"
emit CA_DIR "$CA_DIR"
