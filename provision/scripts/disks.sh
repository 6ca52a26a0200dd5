# shellcheck shell=bash
# State of the data disks, read from the disks: for the preflight check, which rejects, and for storage.sh, which changes
# them. It changes nothing itself.
#
# Variables: disks (one disk a line: device, serial, the serial that may be erased or "-", size in bytes); raid, the level
# of their array, where losable is called.
#
# Only the disks decide, not a record of an earlier run. A disk of hearth has LUKS2 with the subsystem "hearth". Its label is
# "hearth-new" until its file system has been created, and "hearth" after that. If every label is "hearth-new", a run was
# interrupted before there was data, and starts over; if one is "hearth", a file system exists, and is kept.

: "${disks?}" "${raid=}"

# The name under /dev/mapper of the disk with the serial $1.
mapping() { printf 'hearth-%s' "${1//[^A-Za-z0-9]/-}"; }

# Each field of the disk with the serial $1 is kept by serial.
declare -A path=() state=()
# Reasons to refuse, and contents of the disks that may be erased.
declare -a serials=() refusals=() absent=() erased=()

# refuse PROBLEM ADVICE: records a problem and its fix.
refuse() { refusals+=("$1"$'\t'"$2"); }

luks() { blkid --probe --match-tag "$2" --output value "$1" 2>/dev/null || true; }

# Users of the disk $1: mount points, arrays, volumes. Nothing if it is free.
users_of() {
    lsblk --noheadings --list --output NAME,TYPE,MOUNTPOINT "$1" |
        awk '$2 != "disk" && $2 != "part" || $3 != "" { print $2 " " $1 ($3 == "" ? "" : " at " $3) }' | paste -sd, | sed 's/,/, /g'
}

# Succeeds if the kernel holds the disk $1 or a partition of it, which lsblk does not show for ZFS, for all but one disk of a
# btrfs, and for bcache.
is_held() { perl -MFcntl -MErrno=EBUSY -e 'exit(sysopen(my $disk, $ARGV[0], O_RDONLY | O_EXCL) || $! != EBUSY)' "$1"; }

# Succeeds if the disk $1 can be read where signatures would be. An unreadable disk is missing, not blank.
is_readable() { dd if="$1" of=/dev/null bs=1M count=16 iflag=direct status=none 2>/dev/null; }

# Signatures that wipefs finds on the disk $1 and its partitions. Nothing if it is blank.
signatures_of() {
    lsblk --noheadings --list --paths --output NAME,TYPE "$1" | awk '$2 == "disk" || $2 == "part" { print $1 }' |
        xargs --no-run-if-empty wipefs --no-act --noheadings --output TYPE,LABEL |
        awk '{ print $1 ($2 == "" ? "" : " \"" $2 "\"") }' | sort -u | paste -sd, | sed 's/,/, /g'
}

# A disk that an earlier run has encrypted.
inspect_ours() {
    local device=$1 serial=$2 label metadata
    label=$(luks "$device" LABEL)
    if [[ $label != hearth && $label != hearth-new ]]; then
        refuse "$device ($serial) is encrypted by hearth, but its label is \"$label\"" \
            "if it holds this home's data, run on $node: cryptsetup config --subsystem hearth --label hearth $device"
    elif ! command -v cryptsetup >/dev/null; then
        state[$serial]=$label # The preflight check of a machine that was reinstalled.
    elif ! metadata=$(cryptsetup luksDump --dump-json-metadata "$device"); then
        refuse "$device ($serial) has a LUKS header that cannot be read" "run on $node: cryptsetup repair $device"
    elif [[ $metadata == *'"kdf"'* ]]; then
        state[$serial]=$label
    elif [[ $label == hearth-new ]]; then
        # Interrupted before it had a key: it can never be opened.
        state[$serial]=blank
    else
        refuse "$device ($serial) has no key left and cannot be opened" \
            "to start over, run on $node: wipefs --all $device"
    fi
}

# Other disks than $1 with the serial $2, as in some cheap enclosures.
twins_of() {
    lsblk --nodeps --noheadings --paths --output KNAME,SERIAL |
        awk -v path="$1" -v serial="$2" '{ name = $1; $1 = ""; gsub(/ /, "") } $0 == serial && name != path { print name }' |
        paste -sd, | sed 's/,/, /g'
}

# Has disks that sleep spin up together: each takes ten seconds or more.
wake() {
    local device pid
    local -a pids=()
    while read -r device _; do
        is_readable "$device" &
        pids+=($!)
    done <<<"$disks"
    for pid in "${pids[@]}"; do wait "$pid" || true; done
}

# Inspects every disk.
inspect() {
    local device serial erase size actual found used
    wake
    while read -r device serial erase size; do
        serials+=("$serial")
        if [[ ! -b $device ]]; then
            absent+=("$serial")
            state[$serial]=absent
            continue
        fi
        path[$serial]=$(readlink -f "$device")
        actual=$(lsblk --nodeps --noheadings --output SERIAL "$device" | tr -d ' ')
        if [[ $actual != "$serial" ]]; then
            refuse "$device has the serial ${actual:-(none)}, expected $serial" \
                "correct its device or its serial"
            continue
        fi
        found=$(twins_of "${path[$serial]}" "$serial")
        if [[ -n $found ]]; then
            refuse "$device ($serial): $found reports the same serial" \
                "connect them by another adapter, or unplug the one that is not in the config"
            continue
        fi
        if ! is_readable "$device"; then
            absent+=("$serial (cannot be read)")
            state[$serial]=absent
            continue
        fi
        actual=$(blockdev --getsize64 "$device")
        if ((actual * 100 < size * 95 || actual * 100 > size * 105)); then
            refuse "$device ($serial) has $actual bytes, expected $size" "correct its device or its size"
            continue
        fi
        if [[ $erase != - && $erase != "$serial" ]]; then
            refuse "$device ($serial): erase names another disk, $erase" "correct it, or remove it"
            continue
        fi
        if [[ $(luks "$device" TYPE) == crypto_LUKS && $(luks "$device" SUBSYSTEM) == hearth ]]; then
            inspect_ours "$device" "$serial"
            continue
        fi
        used=$(users_of "$device")
        if [[ -z $used ]] && is_held "$device"; then used="the kernel holds it (ZFS, btrfs or bcache)"; fi
        if [[ -n $used ]]; then
            refuse "$device ($serial) is in use: $used" "free it first: umount, mdadm --stop, vgchange --activate n, zpool export"
            continue
        fi
        found=$(signatures_of "$device")
        if [[ -z $found ]]; then
            state[$serial]=blank
        elif [[ $erase == "$serial" ]]; then
            state[$serial]=blank
            erased+=("$device ($serial): $found")
        else
            refuse "$device ($serial) carries data: $found" "to erase it, set in its entry under disks: erase: $serial"
        fi
    done <<<"$disks"
}

# Serials in one of the states $@.
with_state() {
    local serial wanted
    for serial in "${serials[@]}"; do
        for wanted in "$@"; do
            if [[ ${state[$serial]:-} == "$wanted" ]]; then printf '%s\n' "$serial"; fi
        done
    done
}

# Number of disks that an array of $1 works without.
losable() { case $raid in 1) echo $(($1 - 1)) ;; 5) echo 1 ;; 6) echo 2 ;; esac }

# Inspects them together. $refusals lists the problems.
check() {
    local duplicates
    duplicates=$(printf '%s\n' "${path[@]}" | sort | uniq -d)
    if [[ -n $duplicates ]]; then refuse "two entries are the same disk: $duplicates" "remove one, or correct its device"; fi
    if ((${#absent[@]} > 0)); then
        if [[ -z $(with_state hearth) ]]; then
            refuse "missing: ${absent[*]} (serials)" \
                "connect them, or correct the config: ls -l /dev/disk/by-id /dev/disk/by-path"
        elif ((${#absent[@]} > $(losable "${#serials[@]}"))); then
            refuse "${#absent[@]} disks of the array are missing: ${absent[*]} (serials)" \
                "connect them: it works without $(losable "${#serials[@]}")"
        fi
    fi
}
