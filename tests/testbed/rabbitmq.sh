#!/bin/sh
# rabbitmq.sh up|down DIR - a private RabbitMQ broker on 127.0.0.1, with AMQP 0-9-1 and STOMP.
# Packages: rabbitmq-server
# Environment:
#   AMQP_PORT (15672)          TCP port of AMQP
#   STOMP_PORT (15613)         TCP port of STOMP
#   RABBITMQ_DIST (15700)      TCP port of the Erlang distribution
#   EPMD_PORT (15701)          TCP port of its port mapper
#   RABBITMQ_ACCOUNT (rabbitmq) account to run as when the caller is root
. "$(dirname "$0")/lib.sh"
rp_args "$@"
AMQP=${AMQP_PORT:-15672}
STOMP=${STOMP_PORT:-15613}
DIST=${RABBITMQ_DIST:-15700}
EPMD=${EPMD_PORT:-15701}
ACCOUNT=${RABBITMQ_ACCOUNT:-rabbitmq}
[ "$(id -u)" = 0 ] || ACCOUNT=$(id -un)

if [ "$RP_CMD" = down ]; then stop rabbitmq 20; stop epmd; exit 0; fi

HOME_OF=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-* 2>/dev/null | sort -V | tail -n 1)
[ -x "$HOME_OF/sbin/rabbitmq-server" ] || die "rabbitmq-server not found; install the Debian package rabbitmq-server"

EPMD_PROGRAM=$(ls /usr/lib/erlang/erts-*/bin/epmd 2>/dev/null | sort -V | tail -n 1)

if ! alive rabbitmq; then
    for port in "$AMQP" "$STOMP" "$DIST" "$EPMD"; do port_must_be_free "$port"; done
    mkdir -p "$RP_DIR/data" "$RP_DIR/home"
    cat > "$RP_DIR/rabbitmq.conf" <<CONF
listeners.tcp.default = 127.0.0.1:$AMQP
stomp.listeners.tcp.1 = 127.0.0.1:$STOMP
CONF
    printf '[rabbitmq_stomp].\n' > "$RP_DIR/enabled_plugins"
    [ "$(id -u)" != 0 ] || chown -R "$ACCOUNT" "$RP_DIR/data" "$RP_DIR/home" "$RP_LOG" "$RP_RUN"
    export HOME="$RP_DIR/home" LANG=C.UTF-8 ERL_EPMD_PORT="$EPMD" ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_NODENAME="test$DIST@localhost" RABBITMQ_DIST_PORT="$DIST" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_CONFIG_FILE="$RP_DIR/rabbitmq.conf" RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_ADVANCED_CONFIG_FILE="$RP_DIR/advanced.config" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$RP_DIR/enabled_plugins" RABBITMQ_MNESIA_BASE="$RP_DIR/data" \
        RABBITMQ_LOG_BASE="$RP_LOG" RABBITMQ_LOGS=- RABBITMQ_PID_FILE="$RP_RUN/erlang.pid"
    cd "$RP_DIR/data" || exit
    # the broker would start a port mapper that outlives it: it finds this one
    start_as "$ACCOUNT" epmd "$EPMD_PROGRAM" -port "$EPMD"
    wait_for 10 epmd port_open "$EPMD"
    start_as "$ACCOUNT" rabbitmq "$HOME_OF/sbin/rabbitmq-server"
fi
listening() { port_open "$AMQP" && port_open "$STOMP"; }
wait_for 60 rabbitmq listening

emit AMQP_URL "amqp://guest:guest@127.0.0.1:$AMQP"
emit STOMP_URL "stomp://guest:guest@127.0.0.1:$STOMP"
