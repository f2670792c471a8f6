#!/bin/sh
# sshd.sh up|down DIR - an OpenSSH server on 127.0.0.1 that lets its own account in, by a key made here.
# Packages: openssh-server (server), openssh-client (ssh-keygen, ssh)
# Environment:
#   SSHD_PORT (17022)
# "down" ends the connections, too. log/sshd.out has one line "Connection from" for each.
. "$(dirname "$0")/lib.sh"
rp_args "$@"
PORT=${SSHD_PORT:-17022}

if [ "$RP_CMD" = down ]; then
    if alive sshd; then
        read -r pid _ < "$RP_RUN/sshd.proc"
        # the listener first, so that nobody comes back meanwhile
        served=$(pgrep -P "$pid" || true)
        stop sshd
        # shellcheck disable=SC2086
        [ -z "$served" ] || kill -KILL $served 2>/dev/null || true
    fi
    exit 0
fi
need sshd openssh-server
need ssh-keygen openssh-client

if ! alive sshd; then
    port_must_be_free "$PORT"
    for key in host user; do
        [ -f "$RP_DIR/$key" ] || ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$RP_DIR/$key"
    done
    cp "$RP_DIR/user.pub" "$RP_DIR/authorized_keys"
    echo "[127.0.0.1]:$PORT $(cut -d ' ' -f 1-2 "$RP_DIR/host.pub")" > "$RP_DIR/known_hosts"
    cat > "$RP_DIR/sshd_config" <<CONF
Port $PORT
ListenAddress 127.0.0.1
HostKey $RP_DIR/host
AuthorizedKeysFile $RP_DIR/authorized_keys
AllowUsers $(id -un)
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
LogLevel VERBOSE
CONF
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    # it wants to be called by its whole name
    start sshd "$(command -v sshd)" -D -e -f "$RP_DIR/sshd_config"
fi
wait_for 10 sshd port_open "$PORT"

emit SSHD_PORT "$PORT"
emit SSHD_USER "$(id -un)"
emit SSHD_IDENTITY "$RP_DIR/user"
emit SSHD_KNOWN_HOSTS "$RP_DIR/known_hosts"
emit SSHD_LOG "$RP_LOG/sshd.out"
