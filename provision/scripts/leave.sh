# shellcheck shell=bash
# Removes a node from the cluster before k3s is uninstalled (delete). Its create has nothing to do.
# Input: cluster and machine (see identity.sh); role, server or agent; address of this node; servers, addresses of all
# servers; kubeconfig of the administrator; discard (see claims.sh).
: "${cluster:?}" "${machine?}" "${role:?}" "${address:?}" "${servers:?}" "${kubeconfig:?}"

# A server that left etcd would rejoin it if k3s restarted by itself.
fence_file=/run/systemd/system/k3s.service.d/hearth-leaving.conf
fence() {
    mkdir -p "${fence_file%/*}"
    printf '[Service]\nRestart=no\n' >"$fence_file"
    systemctl daemon-reload
}

unfence() {
    rm -f "$fence_file"
    systemctl daemon-reload
}

has_left_etcd() {
    [[ -n $(with_cluster get node "$node" -o "jsonpath={.metadata.annotations['etcd\.k3s\.cattle\.io/removed-node-name']}" \
        2>/dev/null) ]]
}

# k3s removes a member from etcd for this annotation, and reports it in another one (k3s, pkg/etcd/member_controller.go).
# Only then may its k3s stop: a majority of the members that are left must know.
leave_etcd() {
    local others
    others=$(with_cluster get nodes -l node-role.kubernetes.io/control-plane -o name | grep -cvx "node/$node" || true)
    if ((others == 0)); then
        return
    fi
    fence
    with_cluster annotate node "$node" --overwrite etcd.k3s.cattle.io/remove=true >/dev/null
    if ! wait_until 180 "$node out of etcd" has_left_etcd; then
        with_cluster annotate node "$node" etcd.k3s.cattle.io/remove- >/dev/null || true
        unfence
        die "etcd did not remove $node, which stays a server: check that the other servers are Ready, and rerun \`pulumi up\`"
    fi
    changed "$node was removed from etcd"
    # Disabled, too: the fence does not outlast a reboot.
    systemctl --quiet disable --now k3s.service
}

# The other servers first: this one stops.
reach_others() {
    local each others=()
    for each in $servers; do if [[ $each != "$address" ]]; then others+=("$each"); fi; done
    reach_api "${others[@]}" "$address"
}

drain() {
    local before=""
    if is_cordoned; then before=cordoned; fi
    with_cluster cordon "$node"
    if ! with_cluster drain "$node" "${emptying[@]}"; then
        [[ $before == cordoned ]] || with_cluster uncordon "$node" || true
        die "$node was not drained within 5 minutes and stays in the cluster: see above for the pods that stay (a PodDisruptionBudget" \
            "may hold them), and rerun \`pulumi up\`"
    fi
    # Pods write until they end.
    if ! (check_claims "$node was drained, and stays in the cluster"); then
        [[ $before == cordoned ]] || with_cluster uncordon "$node" || true
        exit 1
    fi
}

delete() {
    if ! has_k3s; then
        say "k3s is not installed on this host. If the cluster still lists the node $node, run: hack/forget-node $node"
        return
    fi
    prove "$node stays in the cluster"
    open_cluster "$kubeconfig"
    if ! wait_until 60 "an API server" reach_others; then
        die "no API server answers, so $node cannot be removed from the cluster: see journalctl -u k3s on the servers. If the" \
            "cluster is to be abandoned, run for each node: hack/forget-node NODE, and reinstall Debian"
    fi
    if [[ -z $(with_cluster get node "$node" --ignore-not-found -o name) ]]; then
        return
    fi
    note_copies
    check_claims "$node was not changed"
    # The pods of the last node have no other node; it is deleted with the cluster.
    if (($(with_cluster get nodes -o name | wc -l) == 1)); then
        return
    fi
    drain
    if [[ $role == server ]]; then
        leave_etcd
        wait_until 60 "an API server" reach_others || die "no other server answers: rerun \`pulumi up\`"
    fi
    with_cluster delete node "$node" --timeout=60s
    changed "$node was removed from the cluster"
}

main() {
    if [[ $1 == delete ]]; then delete; fi
}

main "$@" </dev/null
