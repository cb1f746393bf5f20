#!/bin/sh
# xinetd's own echo service, on the port that is the first argument. It reads its configuration
# from a file, which stays behind in the folder for temporary files.
set -eu
PATH=$PATH:/usr/sbin
files=${TMPDIR:-/tmp}/xinetd-echo-$1
cat >"$files.conf" <<END
service echo
{
    type         = INTERNAL UNLISTED
    id           = echo-stream
    socket_type  = stream
    protocol     = tcp
    wait         = no
    user         = $(id -un)
    bind         = 127.0.0.1
    port         = $1
    log_type     = SYSLOG daemon
    instances    = UNLIMITED
    per_source   = UNLIMITED
    cps          = 10000 1
}
END
exec xinetd -dontfork -f "$files.conf" -pidfile "$files.pid"
