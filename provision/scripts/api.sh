# shellcheck shell=bash
# Runs on the first server: checks that the API's address leads to this cluster, whichever server answers.
# Input: api, host name or address under which the API server is reached.
: "${api:?}"

api_answers() { k3s kubectl --request-timeout=5s --server "https://$api:6443" get --raw /readyz; }

main() {
    # With several servers the address is not this node's: it may lead elsewhere, or nowhere.
    if ! wait_until 60 "https://$api:6443" api_answers >/dev/null 2>&1; then
        api_answers || true
        die "another cluster, or none, answers at $api (see above). That is hearth:api.address, or else the first server's address:" \
            "correct it, or route it to the servers, and rerun \`pulumi up\`"
    fi
}

main "$@" </dev/null
