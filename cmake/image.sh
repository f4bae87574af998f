#!/usr/bin/env bash
# Makes build/image/searchsync.tar, a docker-archive, from the executable of build/release and the
# files of this system's packages that it needs. Asks nothing of the network.
set -euo pipefail
cd "$(dirname "$0")/.."

executable=build/release/bin/searchsync
place=build/image
root=$place/root
storage=$(realpath -m "$place/storage")

if [[ ! -x $executable ]]; then
  echo "$executable is not there: run make build" >&2
  exit 1
fi
version=$("$executable" --version | awk '{print $NF}')
name=localhost/searchsync:$version

rm -rf "$place"
trap 'rm -rf "$storage"' EXIT
# As in Debian: /lib and /lib64 are links into /usr.
mkdir -p "$root"/{etc/ssl/certs,usr/{bin,lib/ssl,lib64}}
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
install -m 755 "$executable" "$root/usr/bin/searchsync"
objcopy --strip-debug "$root/usr/bin/searchsync"
ln -s searchsync "$root/usr/bin/kubectl-searchsync"

# Each library under the name it is asked for, with the loader: the paths in the output of ldd.
ldd "$executable" | grep -o '/[^ ]*' | while read -r library; do
  install -D -m 755 "$library" "$root$library"
done

# Debian's authorities, without those that this machine trusts besides; and where OpenSSL looks.
certificates=/etc/ssl/certs/ca-certificates.crt
find /usr/share/ca-certificates/mozilla -name '*.crt' -print0 | sort -z |
  xargs -0 cat >"$root$certificates"
ln -s "$certificates" "$root/usr/lib/ssl/cert.pem"

printf '%s\n' root:x:0:0:root:/:/sbin/nologin \
  searchsync:x:65532:65532:searchsync:/:/sbin/nologin >"$root/etc/passwd"
printf '%s\n' root:x:0: searchsync:x:65532: >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

buildah=(buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs)
"${buildah[@]}" build --quiet --isolation chroot --timestamp 0 \
  --file Containerfile --tag "$name" . >/dev/null
"${buildah[@]}" push --quiet "$name" "docker-archive:$place/searchsync.tar:$name"
echo "$place/searchsync.tar: $name, $(du -h --apparent-size "$place/searchsync.tar" | cut -f1)B"
