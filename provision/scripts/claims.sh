# shellcheck shell=bash
# Data of claims on this node's disk. A node that has any neither leaves its cluster nor loses its k3s.
# Input: discard, claims whose data may be deleted, one `namespace/name` a line.
: "${discard?}"

# Claims with data on this node's disk, one `namespace/name` a line. local-path names a volume's directory after them:
# pvc-UID_NAMESPACE_NAME. So the list needs no API server, and has volumes that the API has forgotten.
claims_with_data() {
    local folder name data
    for folder in /var/lib/rancher/k3s/storage/pvc-*_*_*; do
        [[ -d $folder ]] || continue
        # A directory that cannot be read is not empty.
        data=$(find "$folder" -mindepth 1 ! -name lost+found -print -quit) || data=unreadable
        if [[ -n $data ]]; then
            name=${folder##*/}
            name=${name#*_}
            printf '%s/%s\n' "${name%%_*}" "${name#*_}"
        fi
    done
}

# Everything that the node has on its disk, and a refusal unless each is given up.
check_claims() {
    local claim kept=""
    while read -r claim; do
        if grep -qxF -- "$claim" <<<"$discard"; then
            say "deleted with $node: the data of $claim"
        else
            kept+=$'\n'"  - $claim"
        fi
    done < <(claims_with_data)
    [[ -z $kept ]] || die "$node was not changed: it has the only copy of the data of these claims:$kept"$'\n'"Move or copy" \
        "the data that you want to keep. To discard the rest, add the node to hearth:nodes again, list these lines under" \
        "hearth:discard, run \`pulumi up\`, and remove the node again"
}
