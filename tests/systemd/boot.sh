#!/bin/sh
# boot.sh: starts a systemd as process 1 of namespaces of its own, and returns what it exits with.
#
#   boot.sh TREE PROGRAM
#
# TREE      holds `etc` and `var`, copied into the new root, and `out`, which is /out there
# PROGRAM   is /opt/crontabber there
#
# The new root is in memory and has this machine's /usr, read-only; the network is this machine's. Needs root. Where
# namespaces or a cgroup of one's own cannot be had it ends with 111 and says which.
set -eu

fail() {
    echo "boot.sh: $1" >&2
    exit 111
}

# In the namespaces.
inside() {
    tree=$1 program=$2 root=$1/root
    mount --make-rprivate /
    mkdir -p "$root"
    mount -t tmpfs -o mode=755 machine "$root"
    cd "$root"
    mkdir -p dev etc home/other opt out proc root run srv/shared sys tmp usr var/lib var/tmp
    for link in bin lib lib32 lib64 libx32 sbin; do
        if [ -L "/$link" ]; then cp -a "/$link" .; elif [ -d "/$link" ]; then mkdir "$link" && mount --rbind "/$link" "$link"; fi
    done
    mount --bind -o ro /usr usr
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 dev dev
    for node in null zero full random urandom tty; do
        touch "dev/$node"
        mount --bind "/dev/$node" "dev/$node"
    done
    # What a service with its own /dev does not see; no disk and no log of this machine's.
    touch dev/disk
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    mount -t tmpfs -o mode=1777 shm dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    mount -t tmpfs -o mode=755 run run
    chmod 1777 tmp var/tmp srv/shared
    touch var/tmp/of_another home/other/file
    for part in etc var; do
        [ ! -d "$tree/$part" ] || cp -a "$tree/$part/." "$part"
    done
    mount --bind "$tree/out" out
    touch opt/crontabber
    mount --bind -o ro "$program" opt/crontabber
    # Not by chroot alone: whoever is in one may make no user namespace, sandbox or not.
    mkdir old
    pivot_root . old
    umount -l /old
    # systemd hands mounts (credentials) on to its services.
    mount --make-rshared /
    exec env -i container=crontabber-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /usr/lib/systemd/systemd --unit=director.service --log-target=console --log-level=warning --show-status=no
}

if [ "${1:-}" = inside ]; then
    shift
    inside "$@"
fi

tree=$1 program=$2
unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$unified" ] || fail "no cgroup2 is mounted"
group=$unified/crontabber-test-$$
mkdir "$group" || fail "no cgroup may be made in $unified"
machine=

# Kills what is left, and removes the cgroups, also those that the machine made, the innermost first. What was killed
# takes a moment to be gone.
clear() {
    # unshare hears no TERM: without this a machine that hangs would outlive its test.
    [ -z "$machine" ] || kill -KILL "$machine"
    for again in 1 2 3 4 5 6 7 8 9; do
        find "$group" -depth -type d -exec rmdir {} + 2> /dev/null && return
        sleep 0.1
    done
    find "$group" -depth -type d -exec rmdir {} +
}
trap clear EXIT
trap 'exit 143' TERM INT
unshare --mount --pid --fork true || fail "no namespaces may be made"
# The shell that enters the group is the one that becomes the root of the machine's own view of it.
sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    unshare --mount --pid --ipc --uts --cgroup --fork --kill-child sh "$0" inside "$tree" "$program" &
machine=$!
wait "$machine" && status=0 || status=$?
machine=
exit "$status"
