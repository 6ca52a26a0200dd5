# shellcheck shell=bash
# Data disks are opened by a key file at boot, without a prompt.
#
# Variables: disks (as for storage.sh; crypttab.sh is prepended), passphrase.

: "${disks:?}" "${passphrase:?}"

# opens_by_key_file DEVICE
opens_by_key_file() {
    cryptsetup open --test-passphrase --key-slot "$key_slot" --key-file "$key_file" "$1" 2>/dev/null
}

make_key_file() {
    if [[ -s $key_file ]]; then return; fi
    local new=$key_file.hearth-new
    mkdir -p "$(dirname "$key_file")"
    (umask 077 && head -c 64 /dev/urandom >"$new")
    sync "$new"
    mv -fT "$new" "$key_file"
    changed "$key_file opens the data disks when $node starts: a thief of the whole node can read them." \
        "With \"unlock\" in its entry the node prompts for the passphrase instead"
}

add_key() {
    local device=$1
    if opens_by_key_file "$device"; then return; fi
    # The key of a system that was installed before this one.
    if has_key_slot "$device"; then remove_key "$device"; fi
    # A random key needs no slow derivation. cryptsetup 2.6 warns that --key-slot is the new key's, as it was before.
    printf '%s' "$passphrase" | cryptsetup luksAddKey --key-file=- --key-slot "$key_slot" --pbkdf pbkdf2 \
        --pbkdf-force-iterations 1000 "$device" "$key_file" >/dev/null 2>&1 || true
    opens_by_key_file "$device" ||
        die "unattended: the key file cannot be added to $device: run on $node: cryptsetup luksDump $device"
    changed "$device is opened by $key_file"
}

# The initramfs of unlock.sh waits for a passphrase until it is rebuilt.
forget_unlock() {
    local built=/usr/local/lib/hearth/initramfs.sha256
    if [[ ! -e $built ]]; then return; fi
    remove_file /etc/initramfs-tools/conf.d/hearth
    remove_file /etc/initramfs-tools/hooks/hearth
    remove_file /etc/dropbear/initramfs/authorized_keys
    update-initramfs -u -k all >/dev/null
    remove_file "$built"
}

main() {
    local device
    # A separate package since Debian 13.
    if [[ ! -e /usr/lib/systemd/systemd-cryptsetup && ! -e /lib/systemd/systemd-cryptsetup ]]; then
        install_packages systemd-cryptsetup
    fi
    make_key_file
    while read -r _ device _; do add_key "$device"; done < <(data_disks)
    # nofail: a node whose data is not there still starts, and can be repaired. A disk may take long to show up, and without
    # it a mirror would start as half of one.
    write_crypttab "$key_file" luks,nofail,x-systemd.device-timeout=2min
    if [[ $written == yes ]]; then systemctl daemon-reload; fi
    forget_unlock
}
main "$@" </dev/null
