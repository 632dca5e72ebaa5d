#!/bin/sh
# The programs that tests start and no lock can bring: installed with apt where that is allowed,
# otherwise named one by one, and the run fails before the first test does.
set -eu

# Package by package; some programs are called otherwise than their packages, or are off the path.
has() {
    case "$1" in
        postgresql) set -- /usr/lib/postgresql/*/bin/postgres && [ -x "$1" ] ;;
        rabbitmq-server) [ -d /usr/lib/rabbitmq ] ;;
        ceph-common) command -v ceph >/dev/null 2>&1 ;;
        etcd-server) command -v etcd >/dev/null 2>&1 ;;
        systemd) command -v systemd-analyze >/dev/null 2>&1 ;;
        iproute2) command -v ip >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing=""
for program in chromium nginx wrk postgresql pgbouncer patroni etcd-server redis-server \
    rabbitmq-server ceph-mon ceph-osd ceph-common radosgw haproxy iproute2 iptables systemd docker-compose; do
    has "$program" || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    echo "installing with apt:$missing"
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1  # nothing is started only because it is there
    # shellcheck disable=SC2086
    { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null </dev/null || true
fi

left=""
for program in $missing; do
    has "$program" || left="$left $program"
done
if [ -n "$left" ]; then
    echo "The tests need these programs, and they could not be installed:$left" >&2
    echo "On Debian or Ubuntu, as root: apt install$left" >&2
    exit 1
fi
