# shellcheck shell=bash
# Marker of a node, and the proof that this host is the one that was provisioned.
# The marker has three lines: the cluster's id, the node's name, and the machine id of its system. Older markers have the
# first line only; k3s' own configuration has the name then.

mark=/etc/rancher/hearth-cluster

# mark_line NUMBER: a line of the marker; empty if it is missing.
mark_line() { if [[ -e $mark ]]; then sed -n "$1p" "$mark"; fi; }

marked_name() {
    local name
    name=$(mark_line 2)
    if [[ -z $name && -e $mark && -e /etc/rancher/k3s/config.yaml ]]; then
        name=$(sed -n 's/^node-name: *//p' /etc/rancher/k3s/config.yaml | tr -d '"')
    fi
    printf '%s' "$name"
}

# has_k3s: succeeds if any part of a k3s is on this host.
has_k3s() {
    [[ -e $mark || -e /etc/rancher/k3s/config.yaml || -e /var/lib/rancher/k3s/server/token ||
        -e /etc/systemd/system/k3s.service || -e /etc/systemd/system/k3s-agent.service ]]
}

# prove CONSEQUENCE: ends the script unless this host is $node of $cluster; CONSEQUENCE begins the message.
# Input: cluster; machine, the machine id that the node had when it was provisioned.
prove() {
    local here name machine_before
    here=$(</etc/machine-id)
    name=$(marked_name)
    machine_before=$(mark_line 3)
    if [[ $(mark_line 1) == "${cluster:?}" && $name == "$node" && ${machine_before:-$here} == "$here" &&
        ${machine:-$here} == "$here" ]]; then
        return
    fi
    die "$1: this host cannot prove that it is the node $node (its marker: ${name:-no node} of cluster" \
        "$(mark_line 1), machine id $here; expected: machine id ${machine:-unknown}). Correct its entry in hearth:nodes, or," \
        "if the host of $node no longer exists, run: hack/forget-node $node"
}
