import { tool } from "../../toolchain/tools";
import { ControlPlane } from "../backup/control-plane";
import { containers } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { NameServer } from "./name-server";
import { Program } from "./program";

jest.setTimeout(5 * 60_000);

const domain = "home.example.com";
const traefik = "192.168.1.240";
const path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
const stops: (() => Promise<void>)[] = [];
let plane: ControlPlane;

beforeAll(async () => {
    plane = await ControlPlane.start();
    for (const [name, annotations] of [["photos", { "hearth/public": "pangolin" }] as const, ["notes", {}] as const]) {
        const backend = { service: { name, port: { number: 80 } } };
        const rule = { host: `${name}.${domain}`, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } };
        await plane.call("POST", path, { metadata: { name, annotations }, spec: { rules: [rule] } });
        // As Traefik does.
        const status = { loadBalancer: { ingress: [{ ip: traefik }] } };
        await plane.call("PATCH", `${path}/${name}/status`, { status });
    }
});

afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) {
        await stop();
    }
});

afterAll(() => plane?.remove());

/** The chart's external-dns, with a DNS server that has the home's domain. */
async function start(records: object = {}): Promise<NameServer> {
    const dns = new NameServer(domain);
    await dns.start();
    stops.push(() => dns.stop());
    const workspace = new Workspace("helm4");
    const values = { provider: "rfc2136", server: "127.0.0.1", port: dns.port, ...records };
    const objects = await workspace
        .render("pangolin", `--set=global.domain=${domain}`, `--set-json=records=${JSON.stringify(values)}`)
        .finally(() => workspace.remove());
    const found = containers(objects).find(({ container }) => container.name === "external-dns");
    const program = new Program(
        tool("external-dns"),
        [
            ...(found?.container.args ?? []),
            ...[`--kubeconfig=${plane.kubeconfig}`, "--interval=1s", "--metrics-address=127.0.0.1:0"],
        ],
        { env: { EXTERNAL_DNS_RFC2136_TSIG_SECRET: dns.key.secret } },
    );
    stops.push(() => program.stop());
    return dns;
}

const addresses = (dns: NameServer, name: string) =>
    dns.resolver.resolve4(`${name}.${domain}`).catch(({ code }: NodeJS.ErrnoException) => code);

test("every name of the home gets a record with Traefik's address, and loses it with its Ingress; foreign records stay", async () => {
    const dns = await start();
    await dns.update("add", `printer.${domain}`, "made by hand");
    for (const name of ["photos", "notes"]) {
        await plane.until(`${name} has a record`, async () => (await addresses(dns, name))?.[0] === traefik);
    }

    const notes = await plane.call<{ metadata: object; spec: object }>("GET", `${path}/notes`);
    await plane.call("DELETE", `${path}/notes`);
    await plane.until("the record is deleted", async () => (await addresses(dns, "notes")) === "ENOTFOUND");
    expect(await addresses(dns, "photos")).toEqual([traefik]);
    expect(await dns.texts(`printer.${domain}`)).toEqual(["made by hand"]);

    const { spec } = notes;
    await plane.call("POST", path, { metadata: { name: "notes" }, spec });
    await plane.call("PATCH", `${path}/notes/status`, { status: { loadBalancer: { ingress: [{ ip: traefik }] } } });
});

test("with a target, public names resolve to it, and others have no record", async () => {
    const dns = await start({ target: "203.0.113.10" });
    await plane.until("photos has a record", async () => (await addresses(dns, "photos"))?.[0] === "203.0.113.10");

    expect(await addresses(dns, "notes")).toBe("ENOTFOUND");

    await plane.call("PATCH", `${path}/photos`, { metadata: { annotations: { "hearth/public": null } } });
    await plane.until("a name that is closed loses it", async () => (await addresses(dns, "photos")) === "ENOTFOUND");
});
