# shellcheck shell=bash
# Runs on the first server: a token with which the edge joins once, within a day. The edge does not get the agents' own,
# which admits any number of nodes forever. Its result is the token.
# Input: member, the edge's name; machine, its machine id.
: "${member:?}" "${machine:?}"

kubectl() { k3s kubectl --request-timeout=20s "$@"; }

# k3s rejects a host that was reinstalled or replaced while its node exists. The edge has no volume: nothing is lost with
# the node.
forget_former() {
    local before
    before=$(kubectl get node "$member" --ignore-not-found -o 'jsonpath={.status.nodeInfo.machineID}')
    if [[ -n $before && $before != "$machine" ]]; then
        kubectl delete node "$member" --timeout=60s >/dev/null
        changed "the cluster's former $member (machine id $before) is forgotten"
    fi
}

main() {
    local token
    forget_former
    token=$(k3s token create --ttl 24h --description "hearth: $member joins") ||
        die "k3s created no token for $member: see journalctl -u k3s on $node"
    result "$token"
}

main "$@" </dev/null
