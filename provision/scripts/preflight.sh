# shellcheck shell=bash
# Checks a node and changes nothing. The result has a line for each finding: level, what, what to do, set apart by tabs.
# Input: cluster, the name by which this cluster's nodes know it; now, the time here in seconds; address of the node; role,
# server or agent; version of k3s that it will run, empty if none; ports to be free; virtual, the address that the servers
# hold among themselves, empty if none; networks, those of pods and Services, separated by a space; unlock, "yes" if the
# disks are opened in the initramfs; edge, "yes" on the edge; disks and raid (see disks.sh, which is prepended, as identity.sh is).
: "${cluster:?}" "${now:?}" "${address:?}" "${role:?}" "${version?}" "${ports:?}" "${virtual?}" "${networks:?}" "${unlock?}"
: "${disks?}" "${raid:?}"

findings=""
found() { findings+="$1"$'\t'"$2"$'\t'"${3:-}"$'\n'; }

check_system() {
    local id version architecture
    id=$(sed -n 's/^ID=//p' /etc/os-release)
    version=$(sed -n 's/^VERSION_ID="\?\([0-9.]*\).*/\1/p' /etc/os-release)
    architecture=$(uname -m)
    case $id-$version in
        debian-1[2-9] | debian-[2-9][0-9] | ubuntu-2[2468].04) found ok "$id $version" ;;
        *) found fatal "$id $version" "install Debian 12 or newer, or an LTS release of Ubuntu from 22.04 on" ;;
    esac
    case $architecture in
        x86_64 | aarch64) found ok "$architecture" ;;
        *) found fatal "architecture $architecture" "use a host with x86_64 or aarch64, for which k3s is released" ;;
    esac
    if [[ $(ps -o comm= -p 1) != systemd ]]; then
        found fatal "process 1 is not systemd" "start the machine with systemd"
    fi
}

check_clock() {
    local difference=$(($(date +%s) - now))
    if ((${difference#-} <= 30)); then
        found ok "clock is synchronized"
    else
        found fatal "clock is ${difference#-} s off" "set it (timedatectl set-ntp true): certificates would not be valid"
    fi
}

check_kernel() {
    local module missing=()
    for module in overlay br_netfilter nf_conntrack; do
        grep -qE "^(nodev[[:space:]]+)?${module}$" /proc/filesystems || [[ -d /sys/module/$module ]] ||
            modprobe --dry-run "$module" 2>/dev/null || missing+=("$module")
    done
    if ((${#missing[@]} > 0)); then
        found warning "kernel modules not found: ${missing[*]}" "install Debian's own kernel (linux-image-amd64 or -arm64)"
    fi
    if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
        found ok "cgroup v2"
    else
        found fatal "cgroup v2 without the memory controller, which k3s needs" \
            "add cgroup_enable=memory to the kernel's command line (on a Raspberry Pi /boot/firmware/cmdline.txt) and restart it"
    fi
}

# Memory that k3s requires (docs.k3s.io/installation/requirements), and free space, below which its kubelet admits no pods
# (k3s, pkg/daemons/agent: eviction-hard). Firmware and kernel keep up to a quarter of a small host's memory.
check_size() {
    local memory needed=512 where=/var/lib/rancher blocks available level=fatal
    if [[ $(mark_line 1) == "$cluster" ]]; then level=warning; fi
    if [[ $role == server ]]; then needed=2048; fi
    memory=$(($(getconf _PHYS_PAGES) * $(getconf PAGESIZE) >> 20))
    if ((memory < needed * 3 / 4)); then
        found "$level" "$memory MiB of memory, and k3s requires $needed for its role, $role" "add memory, or use another host"
    fi
    [[ -d $where ]] || where=/var/lib
    read -r blocks available < <(stat --file-system --format='%b %a' "$where")
    if ((available * 20 < blocks)); then
        found "$level" "less than 5 % of the file system at $where is free, and k3s starts no pods on it" \
            "delete what is not needed (journalctl --vacuum-size=100M, apt clean), or use a larger disk"
    fi
}

check_address() {
    local line
    # Hosts of many providers have their public address at a router in front.
    [[ ${edge:-} != yes ]] || return 0
    line=$(ip -oneline -4 address show to "$address")
    if [[ -z $line ]]; then
        found fatal "no interface has the address $address" "set the host's own address in hearth:nodes"
    elif [[ $line == *" dynamic "* ]]; then
        found warning "$address is leased (DHCP)" "reserve this address for the host on the router"
    fi
    [[ -n $virtual && $role == server ]] || return 0
    if [[ $(ip route get "$virtual") == *" via "* ]]; then
        found fatal "$virtual is not in the network of $address" \
            "set hearth:api.address to a free address of that network, which the servers share"
        return
    fi
    # The owner of an address answers ARP even if nothing listens there; cached answers do not count.
    ip neighbor flush to "$virtual" 2>/dev/null || true
    timeout 2 bash -c ": </dev/tcp/$virtual/6443" 2>/dev/null || true
    if [[ $(ip neighbor show to "$virtual") == *" lladdr "* ]]; then found taken "$virtual"; fi
}

minor_of() { sed -n 's/^v1\.\([0-9]*\)\..*/\1/p' <<<"$1"; }

# configured KEY: a value of k3s' config.yaml.
configured() { sed -n "s/^$1: *//p" /etc/rancher/k3s/config.yaml 2>/dev/null | tr -d '"'; }

# The machine is the one that became this node, and nothing differs that k3s cannot change in place.
check_identity() {
    local name before here
    name=$(marked_name) before=$(mark_line 3) here=$(</etc/machine-id)
    if [[ -n $name && $name != "$node" ]]; then
        found fatal "this host is the node $name" \
            "name it $name in hearth:nodes. To rename it, remove it, run \`pulumi up\`, and add it with its new name"
    fi
    if [[ -n $before && $before != "$here" ]]; then
        found fatal "its machine id is $here, and was $before when it became a node" \
            "if its disk is a copy of another node's, reinstall Debian; if not, restore $before in /etc/machine-id"
    fi
    before=$(configured node-ip)
    if [[ $role == server && -n $before && $before != "$address" ]]; then
        found fatal "its address was $before, and etcd knows a server by its address" \
            "assign it $before again (a fixed lease on the router), or follow \"A server's address\" in docs/nodes.md"
    fi
    local key want
    for key in cluster-cidr service-cidr; do
        before=$(configured "$key")
        want=${networks%% *}
        if [[ $key == service-cidr ]]; then want=${networks##* }; fi
        # Configurations of older versions have neither, and k3s its own defaults.
        if [[ -z $before && $key == cluster-cidr ]]; then before=10.42.0.0/16; fi
        if [[ -z $before && $key == service-cidr ]]; then before=10.43.0.0/16; fi
        if [[ $role == server && -n $(configured node-ip) && $before != "$want" ]]; then
            found fatal "its $key is $before, and a cluster cannot change it to $want" "set $before in hearth:k3s"
        fi
    done
}

# A node of this cluster keeps its role, and is upgraded without skipping a minor release.
check_member() {
    local other=k3s here step
    if [[ $role == server ]]; then other=k3s-agent; fi
    if [[ -e /etc/systemd/system/$other.service ]]; then
        found fatal "the node has another role than $role, and a role cannot change in place" \
            "remove it from hearth:nodes, run \`pulumi up\`, then add it with the new role"
    fi
    here=$(readlink /usr/local/bin/k3s || true)
    here=$(minor_of "${here#/usr/local/lib/hearth/k3s/}")
    if [[ -z $here || -z $version ]]; then return; fi
    step=$(($(minor_of "$version") - here))
    if ((step > 1)); then
        found fatal "it runs k3s v1.$here, and $version skips a minor release" \
            "upgrade to a release of v1.$((here + 1)) first (provision/k3s-release.ts): Kubernetes is upgraded one minor release at a time"
    elif ((step < 0)); then
        found fatal "it runs k3s v1.$here, and Kubernetes cannot be downgraded by a minor release, to $version" \
            "set the newer one in provision/k3s-release.ts"
    fi
}

# The nodes in the API, for the checks of others: name, machine id, address and readiness.
list_nodes() {
    local template='{{range .items}}{{.metadata.name}} {{.status.nodeInfo.machineID}} '
    template+='{{range .status.addresses}}{{if eq .type "InternalIP"}}{{.address}} {{end}}{{end}}'
    template+='{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}{{"\n"}}{{end}}'
    local name id where ready
    while read -r name id where ready; do
        findings+="node"$'\t'"$name"$'\t'"$id"$'\t'"$where"$'\t'"$ready"$'\n'
    done < <(timeout 20 k3s kubectl --request-timeout=10s get nodes -o "go-template=$template" 2>/dev/null || true)
}

check_cluster() {
    found machine "$(</etc/machine-id)"
    if [[ $(mark_line 1) == "$cluster" ]]; then
        found ok "node of this cluster"
        found member yes
        check_identity
        check_member
        if [[ $role == server ]]; then list_nodes; fi
        return
    fi
    if has_k3s && [[ ${edge:-} == yes ]]; then
        found fatal "it is the edge of another home" "use one host for each home, or reinstall Debian on this one"
        return
    fi
    if has_k3s; then
        found fatal "this host runs k3s of another cluster" \
            "if it is this home's and the state was lost, run hack/recover. If not, reinstall Debian, or remove this node"
        return
    fi
    local port taken=()
    for port in $ports; do
        [[ -z $(ss --no-header --listening --numeric --tcp "sport = :$port") ]] || taken+=("$port")
    done
    if ((${#taken[@]} > 0)); then
        found fatal "ports in use: ${taken[*]}" "k3s needs them: stop the programs that listen there (ss -ltnp)"
    else
        found ok "ports free"
    fi
}

# Firewalls that would cut the cluster, or delete its rules.
check_firewall() {
    if systemctl --quiet is-active firewalld.service 2>/dev/null; then
        found fatal "firewalld is active, and blocks pods and Services" "run systemctl disable --now firewalld: hearth has its own firewall"
    fi
    if [[ $(ufw status 2>/dev/null) == "Status: active"* ]]; then
        found fatal "ufw is active, and blocks pods and Services" "run ufw disable: hearth has its own firewall"
    fi
    if systemctl --quiet is-enabled nftables.service 2>/dev/null && grep -qs '^[[:space:]]*flush ruleset' /etc/nftables.conf; then
        found fatal "nftables.service is enabled, and its /etc/nftables.conf flushes the rules of k3s and hearth" \
            "run systemctl disable nftables, or remove \"flush ruleset\" from /etc/nftables.conf"
    fi
    if systemctl --quiet is-active docker.service 2>/dev/null; then
        found warning "Docker is installed, and drops packets that are forwarded to pods" "run apt remove docker.io docker-ce"
    fi
}

# Name servers that pods cannot reach are omitted; without any other, k3s makes pods use 8.8.8.8.
check_name_servers() {
    if ! cat /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null | sed -n 's/^nameserver *//p' |
        grep -qviE '^(127\.|169\.254\.|::1$|fe80:)'; then
        found warning "no name server that pods can reach: they will use 8.8.8.8" \
            "set the router's address by DHCP or in /etc/resolv.conf"
    fi
}

# Disks that are opened in the initramfs need one that the firmware loads and that initramfs-tools makes.
check_initramfs() {
    [[ $unlock == yes ]] || return 0
    local config=/boot/firmware/config.txt
    if [[ -e $config ]] && ! grep -qE '^(auto_initramfs=1|initramfs )' "$config"; then
        found fatal "the firmware loads no initramfs, so nothing would prompt for the passphrase" "add auto_initramfs=1 to $config"
    fi
    if dpkg-query -W -f '${db:Status-Abbrev}' dracut 2>/dev/null | grep -q '^ii'; then
        found fatal "its initramfs is made by dracut, and unlock needs initramfs-tools" "run apt install initramfs-tools, which replaces dracut"
    fi
}

check_disks() {
    local refusal serial what
    [[ -n $disks ]] || return 0
    inspect
    check
    for refusal in "${refusals[@]}"; do found fatal "${refusal%$'\t'*}" "${refusal#*$'\t'}"; done
    for what in "${erased[@]}"; do found warning "will be erased: $what" "to keep it, remove erase from the disk's entry"; done
    if [[ -n $(with_state hearth) ]]; then
        for serial in "${absent[@]}"; do found warning "disk $serial is missing" "connect it, or replace it"; done
    fi
    for serial in $(with_state blank hearth hearth-new); do
        found ok "disk $serial: ${state[$serial]}"
        # Two hosts may see one disk, and two disks may have one serial number: these identify it.
        for what in $(lsblk --nodeps --noheadings --output WWN "${path[$serial]}") $(luks "${path[$serial]}" UUID); do
            found disk "$serial" "$what"
        done
    done
}

main() {
    if [[ $EUID != 0 ]]; then
        die "not root"
    fi
    check_system
    check_clock
    check_kernel
    check_size
    check_address
    check_cluster
    check_firewall
    check_name_servers
    check_initramfs
    check_disks
    result "$findings"
}

main "$@" </dev/null
