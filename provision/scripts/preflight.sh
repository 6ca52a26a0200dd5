# shellcheck shell=bash
# Looks at a node and changes nothing. The result has a line for each finding: level, what, what to do, set apart by tabs.
# Input: cluster, the name by which this cluster's nodes know it; now, the time here in seconds; ports to be free; disks
# (see disks.sh, which stands before this).
: "${cluster:?}" "${now:?}" "${ports:?}" "${disks?}"

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
        found warning "no control groups of version 2 with memory" \
            "add cgroup_enable=memory to the kernel's command line (a Raspberry Pi has it off)"
    fi
}

check_cluster() {
    local marker=/etc/rancher/hearth-cluster
    if [[ -e $marker && $(<"$marker") == "$cluster" ]]; then
        found ok "node of this cluster"
        found member yes
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
    check_cluster
    check_disks
    result "$findings"
}

main "$@" </dev/null
