# shellcheck shell=bash
# Data disks are opened in the initramfs: after a reboot the node waits there for the passphrase, and takes it over SSH
# (Dropbear, with a host key of its own) or from its keyboard.
#
# Variables: disks and passphrase (as for storage.sh; crypttab.sh is prepended), address (with prefix length,
# "192.168.1.21/24"), gateway, interface, keys (public keys, one a line).
#
# Its result is the public half of Dropbear's host key.

: "${disks:?}" "${address:?}" "${gateway:?}" "${interface:?}" "${keys:?}"
dropbear=/etc/dropbear/initramfs
host_key=$dropbear/dropbear_ed25519_host_key

# The only command that a key may run in the initramfs: it reads the passphrase from its input.
unlock_command() {
    cat <<'SCRIPT'
#!/bin/sh
# Opens every data disk with the passphrase that it is given on its input. Written by hearth.
. /lib/cryptsetup/functions
TABFILE=/cryptroot/crypttab
IFS= read -r passphrase

locked=
collect() {
    if ! dm_blkdevname "$CRYPTTAB_NAME" >/dev/null && crypttab_resolve_source; then
        locked="$locked $CRYPTTAB_SOURCE"
    fi
}
left() { locked=; crypttab_foreach_entry collect; [ -n "$locked" ]; }

if ! left; then echo "no disk is locked"; exit 0; fi
first=${locked# }
first=${first%% *}
if ! printf '%s' "$passphrase" | cryptsetup open --test-passphrase --key-file=- "$first"; then
    echo "wrong passphrase: it does not open $first" >&2
    exit 2
fi
while left; do
    printf '%s' "$passphrase" | cryptroot-unlock || exit 1
done
echo "all disks are open"
SCRIPT
}

hook() {
    cat <<'SCRIPT'
#!/bin/sh
# Puts the unlock command into the initramfs. Written by hearth.
if [ "$1" = prereqs ]; then exit 0; fi
. /usr/share/initramfs-tools/hook-functions
copy_file script /usr/local/lib/hearth/unlock-disks /bin/unlock-disks
SCRIPT
}

# 24 to 255.255.255.0
netmask() {
    local bits=$((0xffffffff << (32 - $1) & 0xffffffff))
    printf '%d.%d.%d.%d' $((bits >> 24)) $((bits >> 16 & 255)) $((bits >> 8 & 255)) $((bits & 255))
}

# The network of the initramfs, in the form of initramfs.conf(5).
network() {
    printf 'IP=%s::%s:%s:%s:%s:off\n' "${address%/*}" "$gateway" "$(netmask "${address#*/}")" "$node" "$interface"
}

authorized_keys() {
    local key
    while read -r key; do
        printf 'command="/bin/unlock-disks",no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding %s\n' "$key"
    done <<<"$keys"
}

# Checksum of all files here that go into the initramfs.
fingerprint() {
    sha256sum /etc/crypttab /etc/initramfs-tools/conf.d/hearth /etc/initramfs-tools/hooks/hearth \
        /usr/local/lib/hearth/unlock-disks /etc/mdadm/mdadm.conf \
        "$dropbear/authorized_keys" "$dropbear/dropbear.conf" "$host_key" | sha256sum
}

# The key file of unattended.sh, and its key in every disk.
forget_key_file() {
    local device
    while read -r _ device _; do
        if has_key_slot "$device"; then
            remove_key "$device"
            changed "$device is no longer opened by a key file"
        fi
    done < <(data_disks)
    remove_file "$key_file"
}

main() {
    local built=/usr/local/lib/hearth/initramfs.sha256
    if [[ ! -e /sys/class/net/$interface ]]; then
        die "unlock: $node has no network interface $interface; it has: $(cd /sys/class/net && echo *)." \
            "Correct unlock.interface"
    fi
    install_packages cryptsetup-initramfs dropbear-initramfs busybox
    # tries=0: a mistyped passphrase must not start the node without its data.
    write_crypttab none luks,initramfs,nofail,tries=0
    write_file /etc/initramfs-tools/conf.d/hearth 0644 <<<"$(network)"
    write_file /usr/local/lib/hearth/unlock-disks 0755 <<<"$(unlock_command)"
    write_file /etc/initramfs-tools/hooks/hearth 0755 <<<"$(hook)"
    write_file "$dropbear/authorized_keys" 0600 <<<"$(authorized_keys)"
    # -s: no password; -j, -k: no forwarding, whatever a key's own options say.
    write_file "$dropbear/dropbear.conf" 0644 <<<'DROPBEAR_OPTIONS="-s -j -k"'
    if [[ ! -e $host_key ]]; then
        dropbearkey -t ed25519 -f "$host_key" >/dev/null
        changed "created Dropbear's host key"
    fi
    # Written after the initramfs: a run that was interrupted in between rebuilds it.
    if [[ ! -e $built || $(<"$built") != "$(fingerprint)" ]]; then
        update-initramfs -u -k all >/dev/null
        changed "made the initramfs"
        write_file "$built" 0644 <<<"$(fingerprint)"
    fi
    forget_key_file
    result "$(dropbearkey -y -f "$host_key" | sed -n 's/^\(ssh-ed25519 [^ ]*\).*/\1/p')"
}
main "$@" </dev/null
