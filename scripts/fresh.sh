#!/usr/bin/env bash
# Does it work on a bare Debian 12? Makes one in a chroot (debootstrap, needs root), clones this repository's HEAD into
# it, and runs scripts/demo.sh and scripts/test.sh there.
#
#   scripts/fresh.sh [DIRECTORY]     where the chroot goes [a new one under /var/tmp, removed at the end]
#   LOGFLUME_MIRROR                  Debian mirror [http://deb.debian.org/debian]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
[ "$(id -u)" = 0 ] || { echo "fresh: needs root, for debootstrap and chroot" >&2; exit 2; }
need debootstrap git

mirror=${LOGFLUME_MIRROR:-http://deb.debian.org/debian}
root=${1:-}
if [ -z "$root" ]; then
    root=$(mktemp -d /var/tmp/logflume-fresh.XXXXXX)
    keep=0
else
    keep=1
fi
cleanup() {
    for point in proc dev/shm dev sys; do mountpoint -q "$root/$point" && umount -l "$root/$point"; done
    [ "$keep" = 1 ] || rm -rf "$root"
}
trap cleanup EXIT

echo "== debootstrap bookworm into $root" >&2
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /sys "$root/sys"
git clone -q . "$root/logflume"
git -C "$root/logflume" log -1 --format='== testing %h %s' >&2
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    bash -c 'cd /logflume && scripts/demo.sh && scripts/test.sh'
