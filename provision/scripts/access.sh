# shellcheck shell=bash
# Hardens sshd and enables the firewall without a lockout: both are reverted after two minutes unless a new session logs in
# (every script confirms that at its start, see lib.sh). A host that restarts before that starts without the firewall.
# Input: port of sshd; addresses of all nodes, which also mount its NFS export; cluster_networks, those of pods and Services.
# In a home with an edge also: tunnel, the interface that leads to it; address of this node; on the edge itself edge, "yes",
# and tunnel_port, where nodes dial it.
: "${port:?}" "${addresses:?}" "${cluster_networks:?}"

folder=/etc/hearth
sshd=/etc/ssh/sshd_config.d/00-hearth.conf
firewall=$folder/firewall.nft
unconfirmed=$folder/unconfirmed

join_words() { tr -s ' \n' ',' <<<"$1" | sed 's/^,//; s/,$//; s/,/, /g'; }

# Rules of a node: the home's network reaches its services, and other nodes and pods reach all of it. An intruder on the edge
# controls the other end of the tunnel and the addresses of its pods: neither reaches more of a node than an agent needs, nor
# the home's network through it. Pods have their NetworkPolicies.
node_rules() {
    if [[ -n ${tunnel:-} ]]; then
        cat <<END
        iifname "$tunnel" udp dport 8472 accept comment "pods of the edge (VXLAN)"
        iifname "$tunnel" tcp dport 6443 accept comment "its kubelet"
        iifname { "$tunnel", "flannel.1" } drop
END
    fi
    cat <<END
        tcp dport $port accept
        tcp dport { 80, 443, 6443 } accept
        ip saddr { $(join_words "$addresses") } accept comment "the other nodes"
        ip saddr { $(join_words "$cluster_networks") } accept comment "pods and Services"
    }
END
    if [[ -n ${tunnel:-} ]]; then
        cat <<END
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname "$tunnel" drop
        iifname "flannel.1" ip daddr != { $(join_words "$cluster_networks") } drop
    }
    chain postrouting {
        # Precedes flannel, which would use any address of this node: the edge knows it by this one.
        type nat hook postrouting priority srcnat - 1;
        oifname "$tunnel" ip saddr { $(join_words "$cluster_networks") } snat ip to ${address:?}
    }
END
    fi
}

# Rules of the edge: the Internet reaches sshd, the tunnel, and Gerbil's and Traefik's ports; only nodes use the tunnel.
edge_rules() {
    cat <<END
        tcp dport { $port, 80, 443 } accept
        udp dport { ${tunnel_port:?}, 51820, 21820 } accept
        iifname "${tunnel:?}" ip saddr { $(join_words "$addresses") } accept comment "the home's nodes"
        iifname { "cni0", "flannel.1" } ip saddr { $(join_words "$cluster_networks") } accept comment "pods and Services"
    }
END
}

firewall_rules() {
    cat <<'END'
# Replaces its own table and nothing else: k3s and MetalLB have theirs.
table inet hearth
delete table inet hearth
table inet hearth {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        ct state invalid drop
        iifname "lo" accept
        meta l4proto { icmp, ipv6-icmp } accept
        udp dport { 68, 546 } accept
END
    if [[ ${edge:-} == yes ]]; then edge_rules; else node_rules; fi
    printf '}\n'
}

sshd_settings() {
    cat <<'END'
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitEmptyPasswords no
X11Forwarding no
MaxAuthTries 4
LoginGraceTime 30
END
}

is_in_force() {
    sshd_settings | cmp -s - "$sshd" && firewall_rules | cmp -s - "$firewall" && nft list table inet hearth >/dev/null 2>&1
}

# keep FILE: saves its present state, to revert to.
keep() {
    local kept
    kept=$folder/before/$(basename "$1")
    if [[ -e $1 ]]; then cp -p "$1" "$kept"; else rm -f "$kept"; fi
}

# One program applies the files' contents, so that reverting is the same as applying.
install_apply() {
    write_file /usr/local/sbin/hearth-access 0755 <<END
#!/bin/sh
# apply: reloads sshd and the firewall from their files; revert: restores the previous files first.
set -eu
if [ "\$1" = revert ]; then
    for file in $sshd $firewall; do
        if [ -e "$folder/before/\$(basename "\$file")" ]; then
            cp -p "$folder/before/\$(basename "\$file")" "\$file"
        else
            rm -f "\$file"
        fi
    done
    rm -f $unconfirmed
fi
if [ -e $firewall ]; then nft -f $firewall; else nft delete table inet hearth 2>/dev/null || true; fi
# With socket activation, each session reads the files.
if systemctl --quiet is-active ssh.service; then
    # A line that sshd still rejects existed before.
    systemctl reload ssh.service || [ "\$1" = revert ]
fi
END
    write_file /etc/systemd/system/hearth-firewall.service 0644 <<END
[Unit]
Description=Firewall of the node
DefaultDependencies=no
# nftables.service, if enabled, may flush all rules.
After=nftables.service
Before=network-pre.target
Wants=network-pre.target
ConditionPathExists=$firewall
ConditionPathExists=!$unconfirmed

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f $firewall

[Install]
WantedBy=sysinit.target
END
    if [[ $(systemctl is-enabled hearth-firewall.service 2>/dev/null) != enabled ]]; then
        systemctl daemon-reload
        systemctl --quiet enable hearth-firewall.service
        changed "hearth-firewall.service starts with the machine"
    fi
}

main() {
    mkdir -p "$folder/before"
    install_apply
    # Leftovers of an interrupted run, never confirmed by a session, are no state to roll back to.
    if [[ ! -e $unconfirmed ]]; then
        if is_in_force; then
            return
        fi
        keep "$sshd"
        keep "$firewall"
        touch "$unconfirmed"
    fi
    sshd_settings | write_file "$sshd" 0644
    firewall_rules | write_file "$firewall" 0644
    if ! sshd -t; then
        /usr/local/sbin/hearth-access revert
        die "sshd rejects its new configuration, which was reverted: see above, and check /etc/ssh/sshd_config.d"
    fi
    # The first setting counts: an earlier one, or an sshd_config without the Include, would keep passwords enabled.
    if [[ $'\n'$(sshd -T)$'\n' != *$'\npasswordauthentication no\n'* ]]; then
        /usr/local/sbin/hearth-access revert
        die "sshd would still accept passwords, and nothing was changed: make this the first line of /etc/ssh/sshd_config:" \
            "\"Include /etc/ssh/sshd_config.d/*.conf\" (Debian's default), and rerun \`pulumi up\`"
    fi
    systemctl reset-failed hearth-access-revert.service 2>/dev/null || true
    systemd-run --quiet --collect --unit=hearth-access-revert --on-active=2min /usr/local/sbin/hearth-access revert
    /usr/local/sbin/hearth-access apply
    changed "sshd and the firewall are active; a new session has to confirm them within two minutes"
}

main "$@" </dev/null
