import { containers, ofKind, workloads } from "./manifest";
import { exampleOf, Workspace } from "./workspace";

const workspace = new Workspace("helm4");

afterAll(() => workspace.remove());

/** The workload that manages the records: arguments, variables with a secret, and its pod's egress. */
async function keeper(...values: readonly string[]) {
    const objects = await workspace.render("pangolin", ...values);
    const [found] = containers(objects).filter(({ container }) => container.name === "external-dns");
    const policy = ofKind(objects, "NetworkPolicy").find(({ metadata }) => metadata.name === "external-dns");
    return {
        exists: workloads(objects).some(({ name }) => name === "external-dns"),
        args: found?.container.args ?? [],
        secrets: (found?.container.env ?? []).flatMap(({ name, valueFrom }) =>
            valueFrom ? [`${name}=${valueFrom.secretKeyRef?.name}/${valueFrom.secretKeyRef?.key}`] : [],
        ),
        egress: (policy?.spec?.egress ?? []).flatMap(({ to = [], ports = [] }) =>
            to.flatMap(({ ipBlock }) =>
                ipBlock ? [`${ipBlock.cidr} ${ports.map(({ port }) => port).join(",")}`] : [],
            ),
        ),
    };
}

test("no records are managed unless a provider is set", async () => {
    expect((await keeper()).exists).toBe(false);
});

test("a DNS server of the home's own gets every name, and its key by reference; the pod reaches it, and not the Internet", async () => {
    const { args, secrets, egress } = await keeper(...exampleOf("pangolin"), "--set=global.domain=home.example.com");

    expect(args).toEqual(
        expect.arrayContaining([
            ...["--source=ingress", "--policy=sync", "--registry=txt", "--txt-owner-id=home.example.com"],
            ...["--provider=rfc2136", "--rfc2136-host=192.168.1.1", "--rfc2136-zone=home.example.com"],
            ...["--domain-filter=home.example.com", "--rfc2136-tsig-axfr"],
        ]),
    );
    expect(args.filter((each) => /annotation-filter|default-targets|secret=/.test(each))).toEqual([]);
    expect(secrets).toEqual(["EXTERNAL_DNS_RFC2136_TSIG_SECRET=pangolin-secrets/records-key"]);
    expect(egress).toContain("192.168.1.1/32 53,53");
    expect(egress.filter((each) => each.startsWith("0.0.0.0/0"))).toEqual([]);
});

test("with a target, Cloudflare gets only the public names, and they resolve to it", async () => {
    const records = { provider: "cloudflare", zone: "example.com", target: "203.0.113.10" };
    const { args, secrets, egress } = await keeper(`--set-json=records=${JSON.stringify(records)}`);

    expect(args).toEqual(
        expect.arrayContaining([
            ...["--provider=cloudflare", "--domain-filter=example.com", "--annotation-filter=hearth/public"],
            ...["--default-targets=203.0.113.10", "--force-default-targets"],
        ]),
    );
    expect(secrets).toEqual(["CF_API_TOKEN=pangolin-secrets/records-key"]);
    expect(egress).toContain("0.0.0.0/0 443");
});

test.each([
    ["rfc2136 without a server", { provider: "rfc2136" }, 'records.server is "": set it with the provider rfc2136'],
    ["a server without rfc2136", { provider: "cloudflare", server: "192.168.1.1" }, "set it with the provider rfc2136"],
    ["a provider that external-dns does not have", { provider: "digitalocean" }, "records.provider"],
    ["a server's name, which no policy can let through", { provider: "rfc2136", server: "ns.lan" }, "records.server"],
])("rejects %s", async (_, records, said) => {
    await expect(keeper(`--set-json=records=${JSON.stringify(records)}`)).rejects.toThrow(said);
});
