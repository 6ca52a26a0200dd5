# shellcheck shell=bash
# Runs on the first server: waits until a node is Ready in the API, and sets its labels and taints (create), or removes it
# from the API (delete, only for the edge: nodes of the home leave by leave.sh). Input: member, the node's name; machine, its
# identity, so that this reruns for a machine that replaces it; version of k3s; labels, one `key=value` a line; taints, one
# `key=value:effect` a line.
: "${member:?}" "${machine?}" "${version:?}" "${labels?}" "${taints?}"

kubectl() { k3s kubectl --request-timeout=20s "$@"; }

is_ready() {
    [[ $(kubectl get node "$member" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion}' 2>/dev/null) \
        == "True $version" ]]
}

# Labels and taints of the last run are kept in an annotation, so that those no longer configured can be removed.
annotation=hearth/applied

# Identity of a label or taint: a label's key; a taint's key and effect, since one key may have several effects.
identity() {
    local key=${1%%[=:]*}
    case $1 in
        *:*) printf '%s:%s' "$key" "${1##*:}" ;;
        *) printf '%s' "$key" ;;
    esac
}

# Succeeds if the node has it: kubectl fails to remove a taint that was removed by hand.
has() {
    [[ $1 != taint ]] || kubectl get node "$member" -o 'jsonpath={range .spec.taints[*]}{.key}:{.effect}{"\n"}{end}' |
        grep -xF "$2" >/dev/null
}

# applies KIND LINES: sets each line with `kubectl KIND node`, and removes the others in the annotation.
applies() {
    local kind=$1 lines=$2 before line id wanted=$'\n'
    before=$(kubectl get node "$member" -o "jsonpath={.metadata.annotations['$annotation-$kind']}")
    if [[ $before == "$lines" ]]; then
        return
    fi
    while read -r line; do
        [[ -n $line ]] || continue
        kubectl "$kind" node "$member" --overwrite "$line" >/dev/null
        wanted+=$(identity "$line")$'\n'
    done <<<"$lines"
    while read -r line; do
        id=$(identity "$line")
        if [[ -n $line && $wanted != *$'\n'"$id"$'\n'* ]] && has "$kind" "$id"; then
            kubectl "$kind" node "$member" "$id-" >/dev/null
        fi
    done <<<"$before"
    kubectl annotate node "$member" --overwrite "$annotation-$kind=$lines" >/dev/null
    changed "$kind of $member: ${lines//$'\n'/ }"
}

main() {
    if [[ $1 == delete ]]; then
        kubectl delete node "$member" --ignore-not-found --timeout=60s >/dev/null
        changed "$member was removed from the cluster"
        return
    fi
    if ! wait_until 300 "$member Ready with $version" is_ready; then
        kubectl get node "$member" -o wide || true
        die "$member is not Ready in the API: see journalctl -u k3s (or k3s-agent) on it, and check that it reaches port 6443 here"
    fi
    applies label "$labels"
    applies taint "$taints"
}

main "$@" </dev/null
