# shellcheck shell=bash
# Data disks: LUKS2 on each, an array over them, ext4, mounted and exported over NFS. A single disk is a mirror with one
# member, so that a second one can join it.
#
# Variables: disks and raid (see disks.sh, which is prepended), passphrase, mountpoint, clients (addresses of the
# nodes, which mount the export, separated by spaces).

: "${disks:?}" "${raid:?}" "${passphrase:?}" "${mountpoint:?}" "${clients:?}"
array=/dev/md/hearth
# Sectors of a disk that LUKS2 takes for itself.
luks_sectors=32768
# Exit code of cryptsetup for a wrong passphrase.
no_permission=2

# The passphrase reaches cryptsetup by a pipe from a builtin: it is in no argument and no file.
with_passphrase() { printf '%s' "$passphrase" | "$@"; }

unlock_disk() {
    local serial=$1 name code=0
    name=$(mapping "$serial")
    if [[ -b /dev/mapper/$name ]]; then return; fi
    with_passphrase cryptsetup open --key-file=- "${path[$serial]}" "$name" || code=$?
    if ((code == no_permission)); then
        die "storage: the passphrase does not open ${path[$serial]} ($serial). It was encrypted with another one:" \
            "set storage.passphrase to that; to erase the disk, run on $node: wipefs --all ${path[$serial]}"
    elif ((code != 0)); then
        die "storage: ${path[$serial]} ($serial) cannot be opened, for another reason than its passphrase: see cryptsetup's message above." \
            "If the disk is failing, unplug it, and name its replacement in the config: the array works without" \
            "$(losable "${#serials[@]}")"
    fi
    changed "opened ${path[$serial]} as $name"
}

format_disk() {
    local serial=$1 part device=${path[$1]}
    for part in $(lsblk --noheadings --list --paths --output NAME,TYPE "$device" | awk '$2 == "part" { print $1 }'); do
        wipefs --quiet --all "$part"
    done
    wipefs --quiet --all "$device"
    udevadm settle
    with_passphrase cryptsetup luksFormat --batch-mode --type luks2 --subsystem hearth --label hearth-new \
        --key-file=- "$device"
    udevadm settle
    state[$serial]=hearth-new
    changed "encrypted $device ($serial)"
}

# UUID of the array that the opened disk $1 is a member of, by its superblock; nothing if it is of none.
array_of() { { mdadm --examine --export "/dev/mapper/$(mapping "$1")" 2>/dev/null || true; } | sed -n 's/^MD_UUID=//p'; }

# Directory of the array that is running, in sysfs.
md() { printf '/sys/block/%s/md' "$(basename "$(readlink -f "$array")")"; }

uuid_of_running() { mdadm --detail --export "$array" | sed -n 's/^MD_UUID=//p'; }

# Succeeds if the running array contains the opened disk $1.
is_member() {
    local holder
    holder=$(basename "$(readlink -f "$array")")
    [[ -e /sys/class/block/$(basename "$(readlink -f "/dev/mapper/$(mapping "$1")")")/holders/$holder ]]
}

mapped() { for serial in "$@"; do printf '/dev/mapper/%s\n' "$(mapping "$serial")"; done; }

# Creates an array of the opened disks, none of which has data; removes the leftovers of an earlier run.
create_array() {
    local -a members
    mapfile -t members < <(mapped "${serials[@]}")
    mdadm --zero-superblock --force "${members[@]}" 2>/dev/null || true
    wipefs --quiet --all "${members[@]}"
    udevadm settle
    # --force: a mirror with one member is meant, and RAID5 starts with all of its disks.
    mdadm --create "$array" --run --force --quiet --metadata=1.2 --homehost=any --name=hearth --level="$raid" \
        --bitmap=internal --raid-devices="${#members[@]}" "${members[@]}"
    udevadm settle
    changed "created the RAID$raid array $array, disks: ${#members[@]}"
}

# Half an array that udev has assembled holds its members.
stop_leftovers() {
    local serial holder
    for serial in "${serials[@]}"; do
        for holder in "/sys/class/block/$(basename "$(readlink -f "/dev/mapper/$(mapping "$serial")")")"/holders/md*; do
            if [[ -e $holder ]]; then mdadm --stop --quiet "/dev/$(basename "$holder")"; fi
        done
    done
    udevadm settle
}

# Members of the running array: active ones, and healthy spares.
placed_members() { cat "$(md)"/dev-*/slot | grep -cvx none || true; }
spare_members() {
    local member count=0
    for member in "$(md)"/dev-*; do
        if [[ $(<"$member/slot") == none && $(<"$member/state") != *faulty* ]]; then count=$((count + 1)); fi
    done
    printf '%s' "$count"
}

# Disks that are new, $@, take the places of missing ones; where none is missing, the array grows by them. All obstacles
# are checked before a disk is changed.
join_array() {
    local serial needed offset total active growth
    total=$(<"$(md)/raid_disks") active=$(<"$(md)/sync_action")
    growth=$(($# + $(spare_members) + $(placed_members) - total))
    # A spare that is not in the config may belong to a user.
    if (($# == 0 && (growth <= 0 || total + growth > ${#serials[@]}))); then return; fi
    if ((growth > 0)); then
        if ((total + growth > ${#serials[@]})); then
            die "storage: $* (serials) are new, and $array is complete with a disk that is not in the config. To grow it," \
                "name all of its disks (mdadm --detail $array); to replace a working one, unplug it first"
        fi
        if (($(<"$(md)/degraded") > 0 || ${#absent[@]} > 0)) || [[ $active != idle ]]; then
            die "storage: $array grows only when it is complete and idle, and it is $active, without" \
                "$(<"$(md)/degraded") of $total disks. Nothing was changed. Replace the missing disks first; rerun" \
                "\`pulumi up\` when /proc/mdstat shows no activity"
        fi
    fi
    offset=$(cat "$(md)"/dev-*/offset | sort -n | tail -n 1)
    needed=$(($(<"$(md)/component_size") * 2 + offset + luks_sectors))
    for serial in "$@"; do
        if (($(blockdev --getsz "${path[$serial]}") < needed)); then
            die "storage: ${path[$serial]} ($serial) is too small for $array, which needs disks of $((needed * 512)) bytes." \
                "Nothing was changed. Use a larger one"
        fi
    done
    for serial in "$@"; do
        if [[ ${state[$serial]} == blank ]]; then
            format_disk "$serial"
            unlock_disk "$serial"
        fi
        wipefs --quiet --all "/dev/mapper/$(mapping "$serial")"
        mdadm --quiet "$array" --add "/dev/mapper/$(mapping "$serial")"
        changed "added ${path[$serial]} ($serial) to $array"
    done
    if ((growth > 0)); then
        mdadm --quiet --grow "$array" --raid-devices=$((total + growth))
        changed "$array grows from $total disks to $((total + growth)); its file system follows"
    fi
}

check_level() {
    local level
    level=$(<"$(md)/level")
    if [[ $level != "raid$raid" ]]; then
        die "storage: $array is RAID${level#raid}, and the config names RAID$raid. Nothing was changed: the level of an" \
            "array cannot change. Set \"raid: ${level#raid}\" in the entry of $node"
    fi
}

# The array of the opened disks that have data, started; disks that are new join it.
adopt_array() {
    local serial uuids
    local -a present members=() joining=()
    mapfile -t present < <(with_state hearth hearth-new)
    uuids=$(for serial in $(with_state hearth); do array_of "$serial"; done | sort -u)
    if [[ -z $uuids ]]; then
        die "storage: $(with_state hearth | paste -sd' ') held data, and none has an array's superblock: run mdadm --examine" \
            "for each /dev/mapper/hearth-… on $node. They are not overwritten"
    fi
    if [[ $(wc -w <<<"$uuids") != 1 ]]; then
        die "storage: the disks belong to more than one array: $(tr '\n' ' ' <<<"$uuids")" \
            "(mdadm --examine shows each disk's). Remove from the config those that do not belong to $node"
    fi
    if [[ -b $array && $(uuid_of_running) != "$uuids" ]]; then
        die "storage: $array runs, and these disks belong to another array, $uuids. Name in the config the disks of the one" \
            "that $node should have, and unplug or stop (mdadm --stop) the other"
    fi
    if [[ ! -b $array ]]; then
        for serial in "${present[@]}"; do
            if [[ $(array_of "$serial") == "$uuids" ]]; then members+=("$serial"); fi
        done
        stop_leftovers
        mapfile -t members < <(mapped "${members[@]}")
        mdadm --assemble --run --quiet "$array" "${members[@]}" ||
            die "storage: $array cannot be started from ${members[*]}: see above, and mdadm --examine of each on $node. Nothing" \
                "was changed. If the power failed while a disk was missing, force it: mdadm --assemble --run" \
                "--force $array ${members[*]}; then check the file system (fsck): recent writes may be damaged"
        udevadm settle
        changed "started the array $array"
    fi
    check_level
    for serial in $(with_state blank hearth-new); do
        if [[ ${state[$serial]} == blank ]] || ! is_member "$serial"; then joining+=("$serial"); fi
    done
    join_array "${joining[@]}"
}

make_file_system() {
    wipefs --quiet --all "$array"
    # Under a new key, old bytes decrypt to random ones, which a kernel may take for a partition table.
    dd if=/dev/zero of="$array" bs=1M count=1 conv=fsync status=none
    udevadm settle
    # Reserved blocks keep a system running when its disk is full; of a data disk, 5 % are hundreds of gigabytes.
    mkfs.ext4 -q -L hearth -m 1 "$array"
    changed "created an ext4 file system on $array"
}

# From here on, the disk contains data.
mark_complete() {
    local serial
    for serial in $(with_state hearth-new); do
        # Always both: the one that is not given is removed.
        cryptsetup config --subsystem hearth --label hearth "${path[$serial]}"
        state[$serial]=hearth
    done
    udevadm settle
}

# mdadm.conf names the array, so that it has the same name however it is started: the initramfs, udev or a person.
remember_array() {
    local kept uuid
    kept=$(sed '\#^ARRAY /dev/md/hearth #d' /etc/mdadm/mdadm.conf)
    uuid=$(mdadm --detail --brief "$array" | sed -n 's/^ARRAY.* UUID=\([^ ]*\).*/\1/p')
    write_file /etc/mdadm/mdadm.conf 0644 <<<"$kept
ARRAY $array metadata=1.2 UUID=$uuid"
}

# Warning about an array that works, but is degraded.
report_array() {
    local serial degraded total device
    degraded=$(<"$(md)/degraded") total=$(<"$(md)/raid_disks")
    for serial in $(with_state hearth); do
        if ! is_member "$serial"; then
            device=/dev/mapper/$(mapping "$serial")
            # Halves of a mirror may each have been written to alone: only a complete copy makes them equal again.
            say "warning: ${path[$serial]} ($serial) is no longer part of $array. If it is healthy (smartctl --health), add it" \
                "again on $node, which copies all data to it: mdadm --zero-superblock $device && mdadm $array --add" \
                "$device; if not, replace it"
        fi
    done
    if ((${#absent[@]} > 0)); then
        say "warning: missing: ${absent[*]} (serials). Connect them, or name their replacements in the config"
    fi
    if ((degraded > 0)); then
        say "warning: $array runs without $degraded of $total disks, and can lose $(($(losable "$total") - degraded)) more." \
            "Replace the missing disks: set the new disk's device and serial in the config, and run pulumi up"
    fi
    if [[ $(<"$(md)/sync_action") != idle ]]; then say "$array is syncing in the background: see /proc/mdstat"; fi
}

# udev starts an array when all of its disks are present; after a reboot without one of them, nothing would. Those that
# the system opens by itself (unattended.sh) are waited for: half a mirror that starts early is a copy that falls
# behind.
start_at_boot() {
    local serial openers=""
    for serial in "${serials[@]}"; do
        openers+="$(systemd-escape --template=systemd-cryptsetup@.service "$(mapping "$serial")") "
    done
    write_file /usr/local/lib/hearth/start-array 0755 <<'SCRIPT'
#!/bin/sh
# Starts the array of the data disks when disks are missing. Written by hearth.
udevadm settle --timeout=60
for array in /sys/block/md*; do
    if [ "$(cat "$array/md/array_state")" = inactive ] && cat "$array"/slaves/*/dm/name | grep -q '^hearth-'; then
        mdadm --run "/dev/${array##*/}"
    fi
done
SCRIPT
    write_file /etc/systemd/system/hearth-array.service 0644 <<UNIT
[Unit]
Description=Array of the data disks
DefaultDependencies=no
After=systemd-udev-trigger.service ${openers% }

[Service]
Type=oneshot
ExecStart=/usr/local/lib/hearth/start-array
UNIT
}

# The file system grows once the array is reshaped, which takes hours or days, and possibly several starts.
grow_file_system() {
    write_file /etc/systemd/system/hearth-grow.service 0644 <<UNIT
[Unit]
Description=Growth of the file system of the data disks
RequiresMountsFor=$mountpoint

[Service]
Type=exec
ExecStart=/bin/sh -c 'mdadm --quiet --wait $array; exec resize2fs $array'

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl --quiet enable hearth-grow.service
    systemctl --no-block start hearth-grow.service
}

mount_file_system() {
    local kept uuid
    kept=$(sed '/# hearth$/d' /etc/fstab)
    uuid=$(blkid --probe --match-tag UUID --output value "$array") ||
        die "storage: $array has no recognizable file system, and is not overwritten: run on $node: fsck.ext4 $array"
    # nofail: a node whose data is not there still starts, and can be repaired. The timeout is longer than that of a disk
    # which is missing (unattended.sh), after which the array starts without it.
    write_file /etc/fstab 0644 <<<"$kept
UUID=$uuid $mountpoint ext4 defaults,noatime,nofail,x-systemd.device-timeout=5min,x-systemd.requires=hearth-array.service 0 2 # hearth"
    mkdir -p "$mountpoint"
    systemctl daemon-reload
    if mountpoint --quiet "$mountpoint"; then
        if [[ $(findmnt --noheadings --output UUID "$mountpoint") != "$uuid" ]]; then
            die "storage: another file system is mounted at $mountpoint: $(findmnt --noheadings --output SOURCE "$mountpoint")." \
                "Unmount it, or set another storage.mount"
        fi
    else
        mount "$mountpoint"
        changed "mounted $array at $mountpoint"
    fi
}

# mountpoint: without the disks, nothing writes to the empty directory below them. no_root_squash: the CSI driver
# creates the directories of claims, and changes their owners. So only the nodes can mount it: root of any host with the
# export is root of its files.
export_file_system() {
    local client line=$mountpoint
    for client in $clients; do line+=" $client(rw,sync,no_subtree_check,no_root_squash,mountpoint)"; done
    write_file /etc/exports.d/hearth.exports 0644 <<<"$line"
    systemctl enable --quiet --now nfs-server
    exportfs -ra
}

main() {
    local serial
    install_packages cryptsetup mdadm e2fsprogs nfs-kernel-server
    inspect
    check
    if ! mountpoint --quiet "$mountpoint" && [[ -n $(ls -A "$mountpoint" 2>/dev/null) ]]; then
        refuse "$mountpoint contains files, which the file system would hide" "move them away, or set another storage.mount"
    fi
    if ((${#refusals[@]} > 0)); then
        die "storage: nothing was changed on any disk, because:$(printf '\n  %s' "${refusals[@]/$'\t'/: }")"
    fi
    if ((${#erased[@]} > 0)); then
        say "erases, because of \`erase\` in the config:$(printf '\n  %s' "${erased[@]}")"
    fi
    for serial in $(with_state hearth hearth-new); do unlock_disk "$serial"; done
    if [[ -n $(with_state hearth) ]]; then
        adopt_array
    else
        stop_leftovers
        if [[ -b $array ]]; then
            die "storage: $array already runs on disks that are not in the config. Name its disks (lsblk --inverse $array)," \
                "or, if it is no longer wanted, stop it: mdadm --stop $array"
        fi
        for serial in $(with_state blank); do
            format_disk "$serial"
            unlock_disk "$serial"
        done
        create_array
        make_file_system
    fi
    mark_complete
    remember_array
    start_at_boot
    mount_file_system
    grow_file_system
    export_file_system
    report_array
}
main "$@" </dev/null
