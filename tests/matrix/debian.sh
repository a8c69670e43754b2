#!/usr/bin/env bash
# Types the README's first commands, as they stand, on a fresh Debian, as root:
#
#   apt-get install debootstrap
#   tests/matrix/debian.sh bookworm /tmp/clean_machine/bookworm
#
# The Debian gets nothing but git, make and Python, and reaches packages as this machine does: apt's mirror, pip's settings and
# certificates are passed on. Ends with a line for docs/clean_machine.md; all that was said on the way is in FOLDER/log.
set -euo pipefail
suite=${1:?which Debian: bookworm or trixie}
folder=${2:?a folder for it}
checkout=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
root=$folder/root
mkdir -p "$folder"

if [ ! -e "$folder/installed" ]; then
  # shellcheck disable=SC2016  # apt-get fills in REPO_URI
  mirror=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Component: main' --format '$(REPO_URI)' | head -1)
  echo "== installing Debian $suite into $root"
  debootstrap --variant=minbase --include=ca-certificates,git,make,python3-venv "$suite" "$root" "$mirror" >"$folder/debootstrap.log"
  touch "$folder/installed"
fi

# Files that pip's settings name, those settings' own files, and how names are resolved.
for file in /etc/resolv.conf $(pip config debug | grep -oE "/[^ ,']+" | sort -u); do
  [ -f "$file" ] || continue
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done
mapfile -t settings < <(env | grep -E '^(PIP_|https?_proxy=|no_proxy=)')

rm -rf "$root/srv/c2f_head_pose.git" "$root/root/work"
git clone --quiet --bare "$checkout" "$root/srv/c2f_head_pose.git"
mkdir "$root/root/work"

mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm"  # Fast DDS passes images through it
trap 'umount "$root/dev/shm" "$root/proc"' EXIT
chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${settings[@]}" \
  bash -s /srv/c2f_head_pose.git <"$checkout/tests/matrix/newcomer.sh" 2>&1 | tee "$folder/log"
