# shellcheck shell=bash
# Data disks in /etc/crypttab, and the key file that may open them.
# Input: disks (see disks.sh, which is prepended), passphrase.
: "${disks:?}" "${passphrase:?}"

key_file=/etc/hearth/disks.key
# The last slot of LUKS2: cryptsetup uses the first free one for a key that a user adds.
key_slot=31

# Name under /dev/mapper, device and UUID of each disk that can be read; for another one a start would only wait.
data_disks() {
    local device serial uuid
    while read -r device serial _; do
        if [[ -b $device ]] && uuid=$(cryptsetup luksUUID "$device"); then
            printf '%s %s %s\n' "$(mapping "$serial")" "$device" "$uuid"
        fi
    done <<<"$disks"
}

# write_crypttab KEY OPTIONS: has the data disks opened when the node starts, and leaves other lines as they are.
write_crypttab() {
    local name uuid lines
    lines=$(
        if [[ -e /etc/crypttab ]]; then sed '/^hearth-/d' /etc/crypttab; fi
        while read -r name _ uuid; do printf '%s UUID=%s %s %s\n' "$name" "$uuid" "$1" "$2"; done < <(data_disks)
    )
    write_file /etc/crypttab 0600 <<<"$lines"
}

# cryptsetup removes a key only with another one, which it reads from its input without a terminal.
remove_key() { printf '%s' "$passphrase" | cryptsetup luksKillSlot --batch-mode --key-file=- "$1" "$key_slot"; }

has_key_slot() { cryptsetup luksDump "$1" | grep "^  $key_slot: " >/dev/null; }
