# shellcheck shell=bash
# Joins a node to the cluster (step=join, which leaves an existing k3s unchanged), updates an existing k3s to the config
# (step=converge), or uninstalls it (delete).
# Input: step; cluster and machine (see identity.sh); version; role, server or agent; address of this node; config,
# audit_policy, pod_security and registries, contents of k3s's files; registry_authorities, lines of a file's name and its text
# in base64; registration, lines of config.yaml that need no restart; source and images (see fetch_images); discard (see
# claims.sh); kubeconfig of the administrator, for an agent's converge and the join of all but the first server; edge, "yes"
# on the edge, which gets none.
: "${node:?}" "${step:?}" "${cluster:?}" "${machine?}" "${version:?}" "${role:?}" "${address:?}" "${config:?}"
: "${audit_policy:?}" "${pod_security:?}" "${registration?}" "${registries?}" "${registry_authorities?}" "${images?}" "${source:?}"

etc=/etc/rancher/k3s
data=/var/lib/rancher/k3s
lib=/usr/local/lib/hearth/k3s
stamp=$etc/hearth-applied
switching=$etc/hearth-switching
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

# Flannel uses the interface of the default route, regardless of node-ip (k3s #12056).
own_interface() { ip -oneline -4 address show to "$address" | awk '{ print $2; exit }'; }

# Name servers of a resolv.conf that k3s accepts: it discards a file that has any other, and gives pods 8.8.8.8 (k3s,
# pkg/agent/config, isValidResolvConf).
name_servers() { sed -nE 's/^nameserver +([0-9a-fA-F.:]+)[[:space:]]*$/\1/p' "$1" 2>/dev/null | grep -viE '^(127\.|169\.254\.|::1$|fe80:|0\.0\.0\.0$)' || true; }
is_valid_resolv_conf() {
    local all
    all=$(grep -c '^nameserver' "$1" 2>/dev/null || true)
    ((${all:-0} > 0)) && [[ $(name_servers "$1" | wc -l) == "$all" ]]
}

# Text of a resolv.conf for k3s, if k3s accepts none of the host's files, but one of them has a usable name server;
# empty otherwise.
resolv_conf() {
    local file
    for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf; do
        if is_valid_resolv_conf "$file"; then return; fi
    done
    name_servers /etc/resolv.conf | sed 's/^/nameserver /'
}

# Succeeds if the home's own arguments set KEY.
is_set() { grep -q "^$1:" <<<"$config"; }

# The config, with the values that only this host knows.
own_config() {
    printf '%s' "$config"
    is_set flannel-iface || printf 'flannel-iface: %s\n' "$(own_interface)"
    is_set resolv-conf || [[ -z $(resolv_conf) ]] || printf 'resolv-conf: %s\n' "$etc/resolv.conf"
}

# Sum of everything that the running k3s was started with; a sum, since the config has the token in it.
fingerprint() {
    {
        printf '%s\0' "$version" "$(own_config)" "$audit_policy" "$pod_security" "$registries" "$registry_authorities" \
            "$(resolv_conf)"
        unit_text
    } | sha256sum | cut -d ' ' -f 1
}

# An interrupted upgrade is not complete, even if the config was changed back.
is_applied() {
    [[ ! -e $switching && -e $stamp && $(<"$stamp") == "$(fingerprint)" ]] && systemctl --quiet is-active "$unit.service"
}

link() {
    if [[ $(readlink "$2" || true) != "$1" ]]; then
        ln -sfT "$1" "$2"
        changed "$2 -> $1"
    fi
}

write_mark() { write_file "$mark" 0644 <<<"$cluster"$'\n'"$node"$'\n'"$(</etc/machine-id)"; }

write_registries() {
    local file text
    if [[ -z $registries ]]; then
        remove_file "$etc/registries.yaml"
        return
    fi
    while read -r file text; do
        if [[ -n $file ]]; then base64 -d <<<"$text" | write_file "$etc/registries/$file" 0644; fi
    done <<<"$registry_authorities"
    write_file "$etc/registries.yaml" 0600 <<<"$registries"
}

# Tars of images, which k3s loads when it starts. images: a line each, architecture or "any", SHA-256, name of the file.
fetch_images() {
    local architecture sum name file
    while read -r architecture sum name; do
        [[ $architecture == "$(uname -m)" || $architecture == any ]] || continue
        file=$data/agent/images/$name
        if sha256sum --check --status <<<"$sum  $file" 2>/dev/null; then continue; fi
        mkdir -p "$data/agent/images"
        say "fetching $source/$version/$name"
        fetch "$source" "$version/$name" "/usr/local/lib/hearth/k3s/$name.part"
        if ! sha256sum --check --status <<<"$sum  /usr/local/lib/hearth/k3s/$name.part"; then
            rm -f "/usr/local/lib/hearth/k3s/$name.part"
            die "$source/$version/$name does not have the SHA-256 in hearth:k3s.images: correct one of them"
        fi
        mv -f "/usr/local/lib/hearth/k3s/$name.part" "$file"
        changed "$file"
    done <<<"$images"
}

# Writes the files and starts k3s with them; the stamp is written last, so that an interrupted run starts over.
apply() {
    [[ -x $lib/$version/k3s ]] || die "k3s $version is not on the node: rerun \`pulumi up\`"
    write_mark
    write_file "$etc/config.yaml" 0600 <<<"$(own_config)"$'\n'"$registration"
    write_registries
    if [[ -n $(resolv_conf) ]]; then write_file "$etc/resolv.conf" 0644 <<<"$(resolv_conf)"; fi
    fetch_images
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
        die "k3s did not start: see its log above (journalctl -u $unit), fix the cause and rerun \`pulumi up\`"
    fi
    changed "$unit.service runs k3s $version"
    if [[ $role == server ]]; then
        wait_until 300 "the API server on this node" k3s kubectl --request-timeout=5s get --raw /readyz >/dev/null 2>&1 ||
            die "the API server does not answer: see journalctl -u $unit on the node"
        # A snapshot cannot be restored without the token of its time, which encrypts part of it.
        write_file "$data/server/db/snapshots/server-token" 0600 <"$data/server/token"
    fi
    write_file "$stamp" 0600 <<<"$(fingerprint)"
    forget_releases
}

# Removes releases that no longer run: each has some 80 MB.
forget_releases() {
    local folder
    for folder in "$lib"/*/; do
        if [[ $folder != "$lib/$version/" ]]; then
            rm -rf "$folder"
            changed "$folder was deleted"
        fi
    done
}

# Creates the folders of this node's volumes if it replaces a lost host: the kubelet would create them for root only, and
# local-path creates them for every user.
make_volumes() {
    local volumes of folder
    link "$lib/$version/k3s" /usr/local/bin/k3s
    open_cluster "$kubeconfig"
    volumes=$(with_cluster get persistentvolumes -o 'jsonpath={range .items[*]}{.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]} {.spec.hostPath.path}{.spec.local.path}{"\n"}{end}')
    while read -r of folder; do
        if [[ $of == "$node" && $folder == "$data"/storage/* && ! -e $folder ]]; then
            install -d -m 0701 "$data/storage"
            install -d -m 0777 "$folder"
            changed "$folder is an empty volume: its content was on the machine that was $node before"
        fi
    done <<<"$volumes"
}

join() {
    if [[ -e $stamp ]]; then
        write_mark # Marks of older versions have the cluster's id only.
        return     # converge applies another version or config, one node at a time.
    fi
    [[ -z ${kubeconfig:-} ]] || make_volumes
    apply
}

# k3s renews its certificates, which are valid for a year, only when it starts.
renew_in_time() {
    write_file /usr/local/lib/hearth/renew-certificates 0755 <<END
#!/bin/sh
# Restarts k3s when one of its certificates expires within 90 days. Pods keep running. Written by hearth.
find $data/server/tls $data/agent -maxdepth 2 -name '*.crt' ! -name '*ca.crt' ! -name '*ca.*.crt' 2>/dev/null |
    while read -r certificate; do
        openssl x509 -checkend $((90 * 86400)) -noout -in "\$certificate" >/dev/null && continue
        echo "\$certificate expires soon"
        systemctl restart $unit.service
        break
    done
END
    write_file /etc/systemd/system/hearth-renew.service 0644 <<'END'
[Unit]
Description=Renewal of the certificates of k3s

[Service]
Type=oneshot
ExecStart=/usr/local/lib/hearth/renew-certificates
END
    write_file /etc/systemd/system/hearth-renew.timer 0644 <<'END'
[Unit]
Description=Weekly renewal of the certificates of k3s

[Timer]
OnCalendar=Sun 04:00
RandomizedDelaySec=3h
Persistent=true

[Install]
WantedBy=timers.target
END
    enable_timer hearth-renew
}

# The node as the API knows it: whether it is Ready, and its version of k3s.
node_status() {
    with_cluster get node "$node" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion}' 2>/dev/null
}
is_ready() { [[ $(node_status) == "True $version" ]]; }

converge() {
    renew_in_time
    if is_applied; then
        return
    fi
    if [[ ${edge:-} == yes ]]; then
        # Draining needs the administrator's credentials, which a public host never gets. Its pods keep running.
        apply
        return
    fi
    say "k3s or its config has changed: the node is drained, upgraded and uncordoned"
    # A server uses its own API server: the API's address may be the change.
    if [[ $role == server ]]; then open_cluster "$(<"$etc/k3s.yaml")"; else open_cluster "${kubeconfig:?}"; fi
    # An interrupted upgrade has cordoned the node, too; only the first run knows its previous state.
    local before=""
    if [[ -e $switching ]]; then before=$(<"$switching"); elif is_cordoned; then before=cordoned; fi
    write_file "$switching" 0600 <<<"$before"
    # After an interrupted upgrade, this node's API server may not answer.
    if with_cluster get --raw /readyz >/dev/null 2>&1; then
        empty_node "$before"
    fi
    apply
    wait_until 300 "$node Ready with $version" is_ready || die "see journalctl -u $unit on the node; it stays cordoned"
    if [[ $before == cordoned ]]; then
        say "$node was cordoned before, and stays cordoned"
    else
        # The API's address may just be moving from this server to another.
        wait_until 60 "$node uncordoned" with_cluster uncordon "$node" || die "run on it: k3s kubectl uncordon $node"
    fi
    remove_file "$switching"
}

# Drains the node. $1 is "cordoned" if it was cordoned before.
empty_node() {
    local others
    others=$(with_cluster get nodes -o name | grep -cvx "node/$node" || true)
    with_cluster cordon "$node"
    # Its kubelet ends no pod, and a drain would wait for that: an agent whose server has got another address, for instance.
    if [[ $(node_status) =~ ^(False|Unknown)\  ]]; then
        say "$node is not Ready, and is not drained: its pods keep running"
        return
    fi
    # The pods of a home with one node have no other node.
    if ((others > 0)) && ! with_cluster drain "$node" "${emptying[@]}"; then
        [[ $1 == cordoned ]] || with_cluster uncordon "$node"
        remove_file "$switching"
        die "$node was not drained within 5 minutes and was not changed: see above for the pods that stay" \
            "(a PodDisruptionBudget may hold them), and rerun \`pulumi up\`"
    fi
}

# Removes the rules of Services, pods and network policies, with k3s' iptables or the host's own.
forget_rules() {
    local PATH=$data/data/current/bin/aux:$PATH family kept
    for family in iptables ip6tables; do
        if command -v "$family-save" >/dev/null; then
            kept=$("$family-save" | grep -vE 'KUBE-|CNI-|FLANNEL|flannel' || true)
            "$family-restore" <<<"$kept" || say "rules of k3s stay in $family until the host restarts"
        fi
    done
}

# Mounts of k3s and its pods, the innermost first.
mounts() {
    awk '{ print $2 }' /proc/self/mounts | grep -E '^(/run/k3s|/var/lib/kubelet|/run/netns/cni-|/var/lib/rancher/k3s)' |
        sort -r | while IFS= read -r path; do printf '%b\n' "$path"; done
}

# A mount that stays keeps its files, which may be another host's.
unmount_all() {
    local path left
    while IFS= read -r path; do
        timeout --kill-after=5 60 umount -f "$path" 2>/dev/null || true
    done < <(mounts)
    left=$(mounts)
    [[ -z $left ]]
}

# Like k3s-killall.sh and k3s-uninstall.sh.
uninstall() {
    if ! has_k3s; then
        return
    fi
    prove "k3s stays on it"
    # leave.sh did so too, but possibly days ago: that run may have ended there.
    check_claims "$node was not changed"
    write_mark # Of a mark of an older version, the node's name is in a file that is deleted.
    # One at a time: systemctl stops none of several units when one of them does not exist.
    systemctl --quiet disable --now hearth-renew.timer 2>/dev/null || true
    if [[ -e $unit_file ]]; then
        systemctl --quiet disable --now "$unit.service" ||
            die "nothing was deleted on $node, because $unit.service does not stop: see journalctl -u $unit there, and rerun" \
                "\`pulumi up\`"
    fi
    local path name
    pkill -9 -f "^$data/data/[^/]*/bin/containerd-shim" || true
    # Containers keep running without their shims.
    for path in /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/kubepods; do
        if [[ -e $path/cgroup.kill ]]; then echo 1 >"$path/cgroup.kill"; fi
    done
    forget_rules
    if ! wait_until 30 "mounts of pods" unmount_all; then
        die "nothing was deleted on $node, because these mounts are in use:"$'\n'"$(mounts)"$'\n'"Find the processes that use them (fuser -vm" \
            "PATH), unmount them, and rerun \`pulumi up\`"
    fi
    # The pods of a cluster's last node have written until now.
    check_claims "nothing was deleted on $node, whose k3s is stopped (systemctl enable --now $unit starts it)"
    while read -r name _; do say "deleted with $node: the data of $name"; done < <(volumes_with_data)
    for name in cni0 flannel.1; do
        ip link delete "$name" 2>/dev/null || true
    done
    for name in $(ip netns list | awk '/^cni-/ { print $1 }'); do
        ip netns delete "$name"
    done
    # The marker last: an interrupted run can still prove this host's identity.
    rm -rf --one-file-system "$etc" "$data" /var/lib/kubelet /var/lib/cni /run/k3s /run/flannel "$lib"
    rm -f "$unit_file" /etc/systemd/system/hearth-renew.{service,timer} /usr/local/lib/hearth/renew-certificates \
        /run/systemd/system/k3s.service.d/hearth-leaving.conf /usr/local/bin/{k3s,kubectl,crictl,ctr} "$copies" "$mark"
    systemctl daemon-reload
    changed "k3s is uninstalled"
}

main() {
    case "$1 $step" in
        "create join") join ;;
        "create converge") converge ;;
        "delete join") uninstall ;;
        *) die "unknown step: $1 $step" ;;
    esac
}

main "$@" </dev/null
