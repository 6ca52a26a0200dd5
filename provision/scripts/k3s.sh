# shellcheck shell=bash
# Makes a node a part of the cluster (step=join, which leaves a k3s that is there alone), or makes the k3s that is there
# what the config says (step=converge), or takes it off the machine (delete).
# Input: step; cluster, the cluster's name for itself; version; role, server or agent; config, audit_policy and
# pod_security, the texts of k3s's files; registration, what config.yaml has beyond config and needs no restart;
# kubeconfig of the administrator, for converge.
: "${node:?}" "${step:?}" "${cluster:?}" "${version:?}" "${role:?}" "${config:?}" "${audit_policy:?}" "${pod_security:?}"
: "${registration?}"

etc=/etc/rancher/k3s
data=/var/lib/rancher/k3s
lib=/usr/local/lib/hearth/k3s
stamp=$etc/hearth-applied
switching=$etc/hearth-switching
marker=/etc/rancher/hearth-cluster
case $role in
    server) unit=k3s type=notify ;;
    *) unit=k3s-agent type=exec ;;
esac
unit_file=/etc/systemd/system/$unit.service

unit_text() {
    cat <<END
[Unit]
Description=Lightweight Kubernetes ($role)
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Service]
Type=$type
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s $role
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
END
}

# What the running k3s was started with; kept as a sum, since the config has the token in it.
fingerprint() {
    {
        printf '%s\0' "$version" "$config" "$audit_policy" "$pod_security"
        unit_text
    } | sha256sum | cut -d ' ' -f 1
}

# A switch that was cut short is not over, even if the config went back to what it was.
is_applied() {
    [[ ! -e $switching && -e $stamp && $(<"$stamp") == "$(fingerprint)" ]] && systemctl --quiet is-active "$unit.service"
}

link() {
    if [[ $(readlink "$2" || true) != "$1" ]]; then
        ln -sfT "$1" "$2"
        changed "$2 -> $1"
    fi
}

# Puts the files in place and starts k3s with them; the stamp comes last, so that a run that was cut short starts over.
apply() {
    [[ -x $lib/$version/k3s ]] || die "k3s $version is not on the node: run \`pulumi up\` once more"
    write_file "$marker" 0644 <<<"$cluster"
    write_file "$etc/config.yaml" 0600 <<<"$config$registration"
    if [[ $role == server ]]; then
        write_file "$etc/audit-policy.yaml" 0600 <<<"$audit_policy"
        write_file "$etc/pod-security.yaml" 0600 <<<"$pod_security"
        mkdir -p "$data/server/logs"
    fi
    link "$lib/$version/k3s" /usr/local/bin/k3s
    local name
    for name in kubectl crictl ctr; do
        link k3s "/usr/local/bin/$name"
    done
    unit_text | write_file "$unit_file" 0644
    systemctl daemon-reload
    systemctl --quiet enable "$unit.service"
    if ! timeout 600 systemctl restart "$unit.service"; then
        journalctl --quiet --no-pager --unit "$unit.service" --lines 15 --output cat || true
        die "k3s did not start: see its last lines above (journalctl -u $unit), correct it and run \`pulumi up\` again"
    fi
    changed "$unit.service runs k3s $version"
    if [[ $role == server ]]; then
        wait_until 300 "the API server on this node" k3s kubectl --request-timeout=5s get --raw /readyz >/dev/null 2>&1 ||
            die "the API server does not answer: see journalctl -u $unit on the node"
        # A snapshot cannot be restored without the token that was in force: it is the key of what is encrypted in it.
        write_file "$data/server/db/snapshots/server-token" 0600 <"$data/server/token"
    fi
    write_file "$stamp" 0600 <<<"$(fingerprint)"
}

join() {
    if [[ -e $stamp ]]; then
        return # Another version or config is converge's to bring in, one node at a time.
    fi
    apply
}

is_ready() {
    [[ $(with_cluster get node "$node" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion}' 2>/dev/null) \
        == "True $version" ]]
}

converge() {
    if is_applied; then
        return
    fi
    : "${kubeconfig:?}"
    say "k3s or its config is not what was asked for: the node is emptied, switched and filled again"
    open_cluster "$kubeconfig"
    write_file "$switching" 0600 <<<"$version"
    # After a switch that was cut short, it may be this node's API server that does not answer.
    if with_cluster get --raw /readyz >/dev/null 2>&1; then
        empty_node
    fi
    apply
    wait_until 300 "$node Ready with $version" is_ready || die "see journalctl -u $unit on the node; it stays cordoned"
    # The API's address may just be moving from this server to another.
    wait_until 60 "$node uncordoned" with_cluster uncordon "$node" || die "run on it: k3s kubectl uncordon $node"
    remove_file "$switching"
}

# Moves the pods elsewhere.
empty_node() {
    local others
    others=$(with_cluster get nodes -o name | grep -cvx "node/$node" || true)
    with_cluster cordon "$node"
    # A home of one node has nowhere to put its pods.
    if ((others > 0)) && ! with_cluster drain "$node" "${emptying[@]}"; then
        with_cluster uncordon "$node"
        remove_file "$switching"
        die "$node was not empty within 5 minutes and runs what it ran before: see above which pods stay" \
            "(a PodDisruptionBudget may hold them), and run \`pulumi up\` again"
    fi
}

# The rules of Services, pods and network policies, taken out with the iptables that k3s brings, or the machine's own.
forget_rules() {
    local PATH=$data/data/current/bin/aux:$PATH family kept
    for family in iptables ip6tables; do
        if command -v "$family-save" >/dev/null; then
            kept=$("$family-save" | grep -vE 'KUBE-|CNI-|FLANNEL|flannel' || true)
            "$family-restore" <<<"$kept" || say "rules of k3s are left in $family until the machine restarts"
        fi
    done
}

# As k3s-killall.sh and k3s-uninstall.sh do it.
uninstall() {
    systemctl disable --now "$unit.service" 2>/dev/null || true
    local path name
    pkill -9 -f "^$data/data/[^/]*/bin/containerd-shim" || true
    # Containers go on without their shims.
    for path in /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/kubepods; do
        if [[ -e $path/cgroup.kill ]]; then echo 1 >"$path/cgroup.kill"; fi
    done
    forget_rules
    while read -r path; do
        umount -f "$path" || true
    done < <(awk '{ print $2 }' /proc/self/mounts | grep -E '^(/run/k3s|/var/lib/kubelet|/run/netns/cni-|/var/lib/rancher/k3s)' | sort -r)
    for name in cni0 flannel.1; do
        ip link delete "$name" 2>/dev/null || true
    done
    for name in $(ip netns list | awk '/^cni-/ { print $1 }'); do
        ip netns delete "$name"
    done
    rm -f "$unit_file" "$marker" /usr/local/bin/k3s /usr/local/bin/kubectl /usr/local/bin/crictl /usr/local/bin/ctr
    rm -rf "$etc" "$data" /var/lib/kubelet /run/k3s /run/flannel "$lib"
    systemctl daemon-reload
    changed "k3s is uninstalled"
}

main() {
    case "$1 $step" in
        "create join") join ;;
        "create converge") converge ;;
        "delete join") uninstall ;;
        *) die "no such step: $1 $step" ;;
    esac
}

main "$@" </dev/null
