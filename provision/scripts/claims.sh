# shellcheck shell=bash
# Data of claims on this node's disk. A node that has any neither leaves its cluster nor loses its k3s, unless hearth:backup
# has a copy of it.
# Input: discard, claims whose data may be deleted, one `namespace/name` a line.
: "${discard?}"

# Folders of volumes with a copy, one a line, and the time at which the newest one began.
copies=/etc/rancher/hearth-copies

# Seconds after which a copy no longer counts: a night was missed (hack/status reports it, too).
copy_limit=172800

# Writes down which volumes have a copy while the API knows: a drain deletes the pods that made them. A copy counts if its
# pod ran here, so that its begin and the times of files are of one clock.
note_copies() {
    local claims pods
    claims=$(with_cluster get persistentvolumeclaims --all-namespaces \
        -o 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name} {.spec.volumeName}{"\n"}{end}')
    pods=$(with_cluster get pods --all-namespaces --selector hearth/backup=backup \
        --field-selector "spec.nodeName=$node,status.phase=Succeeded" \
        -o 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.labels.hearth/claim} {.status.startTime}{"\n"}{end}')
    {
        if [[ -e $copies ]]; then cat "$copies"; fi
        awk 'NR == FNR { volume[$1 "/" $2] = $3; next }
            volume[$1 "/" $2] != "" { print volume[$1 "/" $2] "_" $1 "_" $2, $3 }' <(printf '%s' "$claims") <(printf '%s' "$pods")
    } | sort -k 1,1 -k 2,2r | awk '!seen[$1]++' | write_file "$copies" 0600
}

# Reason why the copy of a volume's folder is incomplete; nothing if it is complete.
missing_in_copy() {
    local began="" newer
    if [[ -e $copies ]]; then began=$(awk -v folder="${1##*/}" '$1 == folder { print $2 }' "$copies"); fi
    if [[ -z $began ]]; then
        printf 'no copy of it was made on this node'
    elif (($(date +%s) - $(date --date "$began" +%s) > copy_limit)); then
        printf 'its last copy is of %s' "$began"
    elif [[ -e $1/.hearth-restore ]]; then
        printf 'it has the data from before a restore, which hack/restore --drop deletes'
    else
        # By the time of the last change of an inode, which no program can set. Folders do not count: a deletion loses
        # nothing, and a copy of a database creates files next to it.
        newer=$(find "$1" ! -type d -newerct "$began" -print -quit) || newer=unreadable
        [[ -z $newer ]] || printf 'changed since its last copy, of %s: %s' "$began" "${newer#"$1/"}"
    fi
}

# Volumes with data on this node's disk: the claim as `namespace/name`, and the folder. local-path names the folder
# after the claim: pvc-UID_NAMESPACE_NAME. So the list needs no API server, and has volumes that the API has forgotten.
volumes_with_data() {
    local folder name data
    for folder in /var/lib/rancher/k3s/storage/pvc-*_*_*; do
        [[ -d $folder ]] || continue
        # A directory that cannot be read is not empty.
        data=$(find "$folder" -mindepth 1 ! -name lost+found -print -quit) || data=unreadable
        if [[ -n $data ]]; then
            name=${folder##*/}
            name=${name#*_}
            printf '%s/%s %s\n' "${name%%_*}" "${name#*_}" "$folder"
        fi
    done
}

# check_claims CONSEQUENCE: ends the script unless each volume with data is given up or copied; CONSEQUENCE begins the
# message.
check_claims() {
    local claim folder reason kept=""
    while read -r claim folder; do
        if grep -qxF -- "$claim" <<<"$discard"; then continue; fi
        reason=$(missing_in_copy "$folder")
        [[ -z $reason ]] || kept+=$'\n'"  - $claim ($reason)"
    done < <(volumes_with_data)
    [[ -z $kept ]] || die "$1: it has the only copy of the data of these claims:$kept"$'\n'"Stop their services, copy them with" \
        "hack/backup, and rerun \`pulumi up\`. To discard the data instead, add the node to hearth:nodes again, list" \
        "these claims under hearth:discard, run \`pulumi up\`, and remove the node again"
}
