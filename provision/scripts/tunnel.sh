# shellcheck shell=bash
# Creates (create) or removes (delete) an end of the WireGuard tunnel between the home and its edge. Input: interface;
# config, text of WireGuard's file, with the private key; peer, the other end's address in the tunnel, empty for the edge,
# which is dialed and dials nobody.
: "${interface:?}" "${config:?}" "${peer?}"

file=/etc/wireguard/$interface.conf
unit=wg-quick@$interface.service

# Succeeds if the last handshake with the other end was recent: WireGuard renews a session every two minutes.
has_handshake() {
    local last
    last=$(wg show "$interface" latest-handshakes 2>/dev/null | awk '{ print $2; exit }')
    ((${last:-0} > 0 && $(date +%s) - last < 180))
}

create() {
    install_packages wireguard-tools
    write_file "$file" 0600 <<<"$config"
    if [[ $written == yes ]] || ! systemctl --quiet is-active "$unit"; then
        systemctl --quiet enable "$unit"
        # Not `wg syncconf`, which would miss a new address or route.
        systemctl restart "$unit" || {
            journalctl --quiet --no-pager --unit "$unit" --lines 10 --output cat || true
            die "the tunnel did not start: see above, and check that the kernel has WireGuard (modprobe wireguard)"
        }
        changed "$unit"
    fi
    if [[ -n $peer ]]; then
        # A packet starts the handshake now rather than with the first keepalive.
        ping -c 1 -W 2 "$peer" >/dev/null 2>&1 || true
        wait_until 60 "a handshake with the edge" has_handshake ||
            die "the edge does not answer through the tunnel: check that its provider's firewall allows UDP to the port of" \
                "hearth:edge.tunnelPort, and \`wg show\` on both hosts"
    fi
}

delete() {
    if [[ -e $file ]]; then
        systemctl --quiet disable --now "$unit"
        remove_file "$file"
    fi
}

main() { "$1"; }

main "$@" </dev/null
