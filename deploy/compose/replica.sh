#!/bin/sh
# Copies the primary when there is nothing here yet, then follows it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -d -m 700 -o postgres -g postgres "$PGDATA"
    export PGPASSWORD="$REPLICATION_PASSWORD"
    until gosu postgres pg_basebackup --host primary --username replica --pgdata "$PGDATA" \
        --write-recovery-conf --slot replica --wal-method stream --checkpoint fast; do
        rm -rf "${PGDATA:?}"/*
        sleep 1
    done
    # The name under which synchronous_standby_names of the primary knows it.
    echo "primary_conninfo = 'host=primary user=replica password=$REPLICATION_PASSWORD application_name=replica'" \
        >> "$PGDATA/postgresql.auto.conf"
fi
exec gosu postgres postgres -c hot_standby_feedback=on
