# shellcheck shell=bash
# Looks at a node and changes nothing. The result has a line for each finding: level, what, what to do, set apart by tabs.
# Input: cluster, the name by which this cluster's nodes know it; now, the time here in seconds; address of the node; role,
# server or agent; version of k3s that it will run, empty if none; ports to be free; virtual, the address that the servers
# hold among themselves, empty if none; disks (see disks.sh, which stands before this).
: "${cluster:?}" "${now:?}" "${address:?}" "${role:?}" "${version?}" "${ports:?}" "${virtual?}" "${disks?}"

findings=""
found() { findings+="$1"$'\t'"$2"$'\t'"${3:-}"$'\n'; }

check_system() {
    local id version architecture
    id=$(sed -n 's/^ID=//p' /etc/os-release)
    version=$(sed -n 's/^VERSION_ID="\?\([0-9]*\).*/\1/p' /etc/os-release)
    architecture=$(uname -m)
    if [[ $id == debian && ${version:=0} -ge 12 ]]; then
        found ok "Debian $version"
    else
        found fatal "$id $version" "install Debian 12 or newer"
    fi
    case $architecture in
        x86_64 | aarch64) found ok "$architecture" ;;
        *) found fatal "architecture $architecture" "take a machine with x86_64 or aarch64, for which k3s is released" ;;
    esac
    if [[ $(ps -o comm= -p 1) != systemd ]]; then
        found fatal "process 1 is not systemd" "start the machine with systemd"
    fi
}

check_clock() {
    local difference=$(($(date +%s) - now))
    if ((${difference#-} <= 30)); then
        found ok "clock in step"
    else
        found fatal "clock is ${difference#-} s off" "set it (timedatectl set-ntp true): certificates would not be valid yet"
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
        found ok "control groups, version 2"
    else
        found fatal "no control groups of version 2 with memory, which k3s needs" \
            "add cgroup_enable=memory to the kernel's command line (on a Raspberry Pi /boot/firmware/cmdline.txt) and restart it"
    fi
}

check_address() {
    local line
    line=$(ip -oneline -4 address show to "$address")
    if [[ -z $line ]]; then
        found fatal "no interface has the address $address" "name in hearth:nodes the address that the machine itself has"
    elif [[ $line == *" dynamic "* ]]; then
        found warning "$address is leased (DHCP)" "let the router give this machine the same address always"
    fi
    [[ -n $virtual && $role == server ]] || return 0
    if [[ $(ip route get "$virtual") == *" via "* ]]; then
        found fatal "$virtual is not in the network of $address" \
            "choose a free address there for hearth:api.address, which the servers hold among themselves"
        return
    fi
    # Whoever has an address tells the network so, even if nothing listens there; what the network said before is past.
    ip neighbor flush to "$virtual" 2>/dev/null || true
    timeout 2 bash -c ": </dev/tcp/$virtual/6443" 2>/dev/null || true
    if [[ $(ip neighbor show to "$virtual") == *" lladdr "* ]]; then found taken "$virtual"; fi
}

minor_of() { sed -n 's/^v1\.\([0-9]*\)\..*/\1/p' <<<"$1"; }

# A node of this cluster keeps its role, and goes to another k3s without leaving out a minor release.
check_member() {
    local other=k3s here step
    if [[ $role == server ]]; then other=k3s-agent; fi
    if [[ -e /etc/systemd/system/$other.service ]]; then
        found fatal "it is not $role, and a node's role does not change in place" \
            "take it out of hearth:nodes, run \`pulumi up\`, then put it in with the new role"
    fi
    here=$(readlink /usr/local/bin/k3s || true)
    here=$(minor_of "${here#/usr/local/lib/hearth/k3s/}")
    if [[ -z $here || -z $version ]]; then return; fi
    step=$(($(minor_of "$version") - here))
    if ((step > 1)); then
        found fatal "it runs k3s v1.$here, from which $version leaves out a minor release" \
            "bring in a release of v1.$((here + 1)) first (provision/k3s-release.ts), as Kubernetes has it"
    elif ((step < 0)); then
        found fatal "it runs k3s v1.$here, and Kubernetes does not go back a minor release, to $version" \
            "take the newer one in provision/k3s-release.ts"
    fi
}

check_cluster() {
    local marker=/etc/rancher/hearth-cluster
    if [[ -e $marker && $(<"$marker") == "$cluster" ]]; then
        found ok "node of this cluster"
        found member yes
        check_member
        return
    fi
    if [[ -e $marker || -e /etc/rancher/k3s/config.yaml || -e /var/lib/rancher/k3s/server/token ||
        -e /etc/systemd/system/k3s.service || -e /etc/systemd/system/k3s-agent.service ]]; then
        found fatal "k3s of another cluster is here" \
            "take this node out of that cluster and uninstall k3s there (k3s-uninstall.sh), or take it out of hearth:nodes"
        return
    fi
    local port taken=()
    for port in $ports; do
        [[ -z $(ss --no-header --listening --numeric --tcp "sport = :$port") ]] || taken+=("$port")
    done
    if ((${#taken[@]} > 0)); then
        found fatal "ports in use: ${taken[*]}" "stop what listens there (ss -ltnp), k3s needs them"
    else
        found ok "ports free"
    fi
}

check_disks() {
    local refusal serial what
    [[ -n $disks ]] || return 0
    inspect
    check
    for refusal in "${refusals[@]}"; do found fatal "${refusal%$'\t'*}" "${refusal#*$'\t'}"; done
    for what in "${erased[@]}"; do found warning "will be erased: $what" "if that is not meant: remove erase from the disk"; done
    if [[ -n $(with_state hearth) ]]; then
        for serial in "${absent[@]}"; do found warning "disk $serial is not there" "connect it, or replace it"; done
    fi
    for serial in $(with_state blank hearth hearth-new); do found ok "disk $serial: ${state[$serial]}"; done
}

main() {
    if [[ $EUID != 0 ]]; then
        die "not root"
    fi
    check_system
    check_clock
    check_kernel
    check_address
    check_cluster
    check_disks
    result "$findings"
}

main "$@" </dev/null
