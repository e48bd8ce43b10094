#!/bin/bash
# Brings a working Apptainer to a Debian machine, for the tests and for whoever wants one there.
#
#   bash tests/containers/setup_apptainer.sh      as root; does nothing where Apptainer already works
#
# Debian 12's archive has no apptainer package. Its unstable branch has one, which needs a newer C library for two
# symbols. So the script fetches both packages from the Debian mirror that apt already uses (in a private apt folder:
# the system's sources, pins and C library stay as they are, signatures are checked), puts the newer C library
# beside Apptainer for Apptainer alone, and installs the result as a package of its own: `apt-get remove apptainer`
# takes it away. On other releases the distribution's own package is installed.
set -euo pipefail

PRIVATE_LIBRARY=/usr/lib/x86_64-linux-gnu/apptainer/glibc
LIBRARY_SUITE=trixie
PACKAGE_SUITE=sid

say() { printf 'setup_apptainer: %s\n' "$*"; }
stop() { printf 'error: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop "setup_apptainer.sh installs packages: run it as root"
[ "$(dpkg --print-architecture 2> /dev/null)" = amd64 ] || stop "setup_apptainer.sh knows Debian on amd64 only: install Apptainer as https://apptainer.org says"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# --fakeroot maps a range of ids, which root does not have by default: the next free one.
give_root_ids() {
    local kind table start
    for kind in uid gid; do
        table=/etc/sub$kind
        touch "$table"
        if ! grep -q '^root:' "$table"; then
            start=$(awk -F: 'BEGIN { free = 100000 } $2 + $3 > free { free = $2 + $3 } END { print free }' "$table")
            usermod "--add-sub${kind}s" "$start-$((start + 65535))" root
        fi
    done
}

# In a virtual machine or a container, root may lack a capability; Apptainer's default hands all of them on and fails.
keep_to_own_capabilities() {
    local held all
    held=$((16#$(awk '$1 == "CapPrm:" { print $2 }' /proc/self/status)))
    all=$(((1 << ($(< /proc/sys/kernel/cap_last_cap) + 1)) - 1))
    if (((held & all) != all)); then
        apptainer config global --set "root default capabilities" no
    fi
}

# As udev's rules have it; without udev ordinary users could not mount an image.
open_fuse() {
    if [ -c /dev/fuse ] && [ "$(stat --format %a /dev/fuse)" = 600 ]; then chmod 666 /dev/fuse; fi
}

adapt_machine() { give_root_ids; keep_to_own_capabilities; open_fuse; }

# The proof: build an image with --fakeroot whose %post gives a file away, and run it.
apptainer_works() {
    command -v apptainer > /dev/null && [ -x /bin/busybox ] || return 1
    local folder name result=0
    folder=$(mktemp -d)
    mkdir -p "$folder"/tree/{bin,dev,etc,proc,root,sys,tmp,var/tmp}
    cp /bin/busybox "$folder/tree/bin/"
    for name in sh cat chown id ls touch; do ln -s busybox "$folder/tree/bin/$name"; done
    printf 'Bootstrap: localimage\nFrom: %s/tree\n\n%%post\n    touch /built && chown 12:12 /built\n' "$folder" > "$folder/proof.def"
    if ! { apptainer build --fakeroot "$folder/proof.sif" "$folder/proof.def" \
        && apptainer exec "$folder/proof.sif" /bin/sh -c '[ -e /built ]'; } > "$folder/log" 2>&1; then
        tail -n 4 "$folder/log" >&2
        result=1
    fi
    rm -rf "$folder"
    return $result
}

if command -v apptainer > /dev/null; then
    adapt_machine
    if apptainer_works; then
        say "$(apptainer --version) is here and works"
        exit 0
    fi
fi

. /etc/os-release
helpers=(busybox-static ca-certificates debootstrap fuse-overlayfs fuse3 passwd squashfs-tools squashfuse uidmap)
apt-get update -qq
if [ "${VERSION_ID:-}" != 12 ]; then
    apt-get install -y -qq --no-install-recommends apptainer "${helpers[@]}" > /dev/null
else
    say "installing helpers from Debian 12"
    apt-get install -y -qq --no-install-recommends "${helpers[@]}" \
        containernetworking-plugins e2fsprogs libseccomp2 libsqlite3-0 patchelf > /dev/null

    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    chmod 755 "$folder"
    mkdir -p "$folder"/lists/partial "$folder"/archives/partial "$folder"/sources "$folder"/debs
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | sort -u | head -n 1)
    [ -n "$mirror" ] || stop "apt has no source for bookworm: add one to /etc/apt/sources.list"
    for suite in "$LIBRARY_SUITE" "$PACKAGE_SUITE"; do
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
            "$mirror" "$suite" > "$folder/sources/$suite.sources"
    done
    # Check-Valid-Until: the release file of unstable on a frozen mirror has run out; its signature still holds.
    private_apt() {
        apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder/sources" \
            -o Dir::Etc::preferencesparts=/dev/null -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder" \
            -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false "$@"
    }
    say "fetching apptainer and the C library that it needs"
    private_apt update
    (cd "$folder/debs" && private_apt download "apptainer/$PACKAGE_SUITE" "libc6/$LIBRARY_SUITE")
    package=$(echo "$folder"/debs/apptainer_*.deb)
    version=$(dpkg-deb -f "$package" Version)~bookworm1
    dpkg-deb -R "$package" "$folder/tree"
    dpkg-deb -x "$folder"/debs/libc6_*.deb "$folder/libc"
    mkdir -p "$folder/tree$PRIVATE_LIBRARY"
    for name in ld-linux-x86-64.so.2 libc.so.6 libdl.so.2 libm.so.6 libpthread.so.0 libresolv.so.2 librt.so.1 \
        libnss_compat.so.2 libnss_dns.so.2 libnss_files.so.2; do
        cp -L "$folder/libc/usr/lib/x86_64-linux-gnu/$name" "$folder/tree$PRIVATE_LIBRARY/"
    done
    for program in bin/apptainer lib/x86_64-linux-gnu/apptainer/bin/starter; do
        # DT_RPATH and not DT_RUNPATH: it holds for what the libraries load in turn, too.
        patchelf --set-interpreter "$PRIVATE_LIBRARY/ld-linux-x86-64.so.2" \
            --force-rpath --set-rpath "$PRIVATE_LIBRARY" "$folder/tree/usr/$program"
    done
    sed -i -E -e "s/^Version:.*/Version: $version/" -e '/^(Static-)?Built-Using:/d' \
        -e '/^Depends:/s/libc6 \(>= [^)]*\)/libc6 (>= 2.36)/' "$folder/tree/DEBIAN/control"
    (cd "$folder/tree" && find usr -type f -exec md5sum {} + > DEBIAN/md5sums)
    say "installing apptainer $version"
    dpkg-deb --root-owner-group -Zgzip -z1 -b "$folder/tree" "$folder/apptainer.deb" > /dev/null
    apt-get install -y -qq --no-install-recommends --allow-downgrades --reinstall "$folder/apptainer.deb" > /dev/null
fi
adapt_machine
apptainer_works || stop "Apptainer is installed, but does not build and run images here: see the lines above"
say "installed $(apptainer --version)"
