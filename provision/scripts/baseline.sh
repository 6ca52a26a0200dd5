# shellcheck shell=bash
# Common to all nodes: packages, host name, kernel settings, no swap, automatic security updates, metrics. Its result is the machine
# id, by which later steps know the system that was prepared here.
# Input: hosts, lines of /etc/hosts for all nodes; edge, "yes" on the edge, which mounts nothing.
: "${node:?}" "${hosts:?}"

set_hostname() {
    local file
    # The addresses first: sudo looks its host's name up. cloud-init writes the first file from the other one at each boot, if
    # the machine's own data at its provider says so (manage_etc_hosts, as on Proxmox), which outranks all of /etc/cloud.
    for file in /etc/hosts /etc/cloud/templates/hosts.debian.tmpl; do
        [[ -e $file ]] || continue
        {
            sed '/^# hearth: nodes$/,/^# hearth: end$/d' "$file"
            printf '# hearth: nodes\n%s\n# hearth: end\n' "$hosts"
        } | write_file "$file" 0644
    done
    write_file /etc/hostname 0644 <<<"$node"
    # A cloud image, or one of Raspberry Pi OS, would reset both at boot.
    if [[ -d /etc/cloud/cloud.cfg.d ]]; then
        write_file /etc/cloud/cloud.cfg.d/99-hearth.cfg 0644 <<<$'preserve_hostname: true\nmanage_etc_hosts: false'
    fi
    if [[ $(hostname) != "$node" ]]; then
        hostname "$node"
        changed "host name $node"
    fi
}

# Kernel settings of the kubelet; with protect-kernel-defaults it exits if one differs.
kernel_settings() {
    write_file /etc/sysctl.d/90-hearth-kubelet.conf 0644 <<'END'
vm.panic_on_oom=0
vm.overcommit_memory=1
kernel.panic=10
kernel.panic_on_oops=1
kernel.keys.root_maxkeys=1000000
kernel.keys.root_maxbytes=25000000
fs.inotify.max_user_instances=8192
fs.inotify.max_user_watches=524288
END
    local key value
    while IFS='=' read -r key value; do
        # A kernel may not have all of these settings.
        [[ -e /proc/sys/${key//./\/} ]] || continue
        if [[ $(sysctl -n "$key") != "$value" ]]; then
            sysctl -q -w "$key=$value"
            changed "$key=$value"
        fi
    done </etc/sysctl.d/90-hearth-kubelet.conf
}

# No swap now and after a reboot, whatever would start it: fstab, a partition's type, zram, Raspberry Pi OS.
no_swap() {
    if [[ -n $(swapon --noheadings) ]]; then
        swapoff -a
        changed "swap is off"
    fi
    local unit
    for unit in swap.target dphys-swapfile.service zramswap.service; do
        if [[ $(systemctl is-enabled "$unit" 2>/dev/null) == @(enabled|static) ]]; then
            systemctl --quiet mask "$unit"
            changed "$unit is masked"
        fi
    done
    # Raspberry Pi OS from Debian 13 on: its generator makes units for zram, and for a file that it writes idle pages to.
    if [[ -e /usr/lib/systemd/system-generators/rpi-swap-generator ]]; then
        write_file /etc/rpi/swap.conf.d/90-hearth.conf 0644 <<<$'[Main]\nMechanism=none'
    fi
}

security_updates() {
    write_file /etc/apt/apt.conf.d/52hearth-unattended-upgrades 0644 <<'END'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
// A node restarts when its owner says so.
Unattended-Upgrade::Automatic-Reboot "false";
END
}

# A file for node-exporter's textfile collector, which charts/monitoring mounts, for the alert RebootDue.
node_metrics() {
    write_file /usr/local/lib/hearth/node-metrics 0755 <<'END'
#!/bin/sh
# Writes metrics of this node for Prometheus. Written by hearth.
set -eu
mkdir -p /var/lib/hearth/metrics
cd /var/lib/hearth/metrics
due=0
if [ -e /run/reboot-required ]; then due=1; fi
cat >node.prom.new <<METRICS
# HELP hearth_reboot_required Whether an update takes effect only when the node restarts.
# TYPE hearth_reboot_required gauge
hearth_reboot_required $due
METRICS
chmod 0644 node.prom.new
mv node.prom.new node.prom
END
    write_file /etc/systemd/system/hearth-metrics.service 0644 <<'END'
[Unit]
Description=Metrics of the node

[Service]
Type=oneshot
ExecStart=/usr/local/lib/hearth/node-metrics
END
    write_file /etc/systemd/system/hearth-metrics.timer 0644 <<'END'
[Unit]
Description=Hourly metrics of the node

[Timer]
OnActiveSec=0
OnUnitActiveSec=1h

[Install]
WantedBy=timers.target
END
    enable_timer hearth-metrics
}

main() {
    install_packages ca-certificates curl nftables unattended-upgrades apparmor
    # rpcbind and iscsid do not belong on a public host.
    if [[ ${edge:-} != yes ]]; then install_packages nfs-common open-iscsi; fi
    set_hostname
    kernel_settings
    no_swap
    security_updates
    node_metrics
    result "$(</etc/machine-id)"
}

main "$@" </dev/null
