# shellcheck shell=bash
# The servers share the address of the API by keepalived: a server whose API server does not answer releases it, and another
# one claims it (create). A node that is no longer a server releases it (delete). Input: virtual, the address; address of
# this node; servers, the addresses of all servers; cluster and machine (see identity.sh).
: "${virtual:?}" "${address:?}" "${servers:?}" "${cluster:?}" "${machine?}"

config=/etc/keepalived/keepalived.conf
# keepalived rejects scripts in /usr/local, which is group-writable on Debian.
check=/etc/hearth/api-answers
header="# Written by hearth."

config_text() {
    local interface server unicast=""
    interface=$(ip -oneline -4 address show to "$address" | awk '{ print $2; exit }')
    [[ -n $interface ]] || die "no interface of $node has the address $address: correct it in hearth:nodes"
    for server in $servers; do
        if [[ $server != "$address" ]]; then unicast+="        $server"$'\n'; fi
    done
    if [[ -n $unicast ]]; then unicast="    unicast_src_ip $address"$'\n    unicast_peer {\n'"$unicast    }"; fi
    cat <<END
$header
global_defs {
    enable_script_security
    script_user root
}
vrrp_script api {
    script $check
    interval 2
    timeout 5
    fall 2
}
vrrp_instance api {
    state BACKUP
    nopreempt
    interface $interface
    virtual_router_id 64
    priority 100
    advert_int 1
$unicast
    virtual_ipaddress {
        $virtual/32
    }
    track_script {
        api
    }
}
END
}

create() {
    local text before
    if [[ -s $config && $(<"$config") != "$header"* ]]; then
        die "$node already runs another keepalived ($config): give it $virtual and remove hearth:api.virtual, or uninstall it"
    fi
    install_packages curl keepalived
    text=$(config_text)
    before=$changes
    write_file "$check" 0755 <<'END'
#!/bin/sh
# Succeeds if the API server of this node answers, also when it answers only clients with a certificate. Written by hearth.
case $(curl --silent --insecure --max-time 4 --output /dev/null --write-out '%{http_code}' https://127.0.0.1:6443/readyz) in
    200 | 401 | 403) exit 0 ;;
esac
exit 1
END
    write_file "$config" 0644 <<<"$text"
    if ((changes > before)) || ! systemctl --quiet is-active keepalived.service; then
        systemctl --quiet enable keepalived.service
        systemctl reload-or-restart keepalived.service ||
            die "keepalived did not start: see journalctl -u keepalived on $node, and rerun \`pulumi up\`"
        changed "keepalived.service holds $virtual with the other servers"
    fi
}

delete() {
    if [[ -e $config && $(<"$config") == "$header"* ]]; then
        # The API's address was removed and the node remains, or k3s is already uninstalled.
        if has_k3s; then prove "$virtual is not given up"; fi
        systemctl --quiet disable --now keepalived.service
        remove_file "$config"
        remove_file "$check"
    fi
}

main() { "$1"; }

main "$@" </dev/null
