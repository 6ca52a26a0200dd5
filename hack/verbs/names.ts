import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { Failure } from "../../lib/failure";
import { type OrderObject, orderKinds, pendingOrders } from "../certificate-orders";
import { colors } from "../colors";
import { type Access, accessTo, readEdgeNames } from "../edge-names";
import { homeNames, type Ingress, type IngressRoute } from "../home-names";
import { Kubectl } from "../kubectl";
import { type Answer, checkName, type NameReport } from "../name-check";
import { readStack, stackOption, withKubeconfig } from "../stack";
import { formatTable } from "../table";
import { defineVerb, exitCodes } from "../verb";

/** Quad9, which AdGuard queries too. */
const publicServers = ["9.9.9.9", "149.112.112.112"];

interface Service {
    readonly metadata: { readonly namespace: string; readonly name: string };
    readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

/** Addresses of a Service of type LoadBalancer; none while it has none. */
function addressesOf(services: readonly Service[], namespace: string, name: string): string[] {
    const found = services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
    return (found?.status.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

/** Certificate of the home's own CA, without its key. */
async function readAuthority(kubectl: Kubectl): Promise<string | undefined> {
    const query = ["get", "secret", "internal-ca", "--namespace", "cert-manager", "--ignore-not-found"];
    const encoded = await kubectl.run([...query, "--output", "jsonpath={.data.tls\\.crt}"]);
    return encoded === "" ? undefined : Buffer.from(encoded, "base64").toString();
}

/** Report on all names, as `--json` prints it. */
interface HomeReport {
    /** DNS servers of the home. */
    readonly dns: readonly string[];
    /** SHA-256 fingerprint of the home's own certificate authority; undefined in a home without one. */
    readonly authority: string | undefined;
    readonly names: readonly (NameReport & { readonly access: Access })[];
    /** Names that the edge serves, but the home does not; undefined if the edge cannot be queried. */
    readonly strays: readonly string[] | undefined;
    /** Certificates that are not ready, and why. */
    readonly pending: readonly string[];
}

async function readReport(kubectl: Kubectl, given: string | undefined): Promise<HomeReport> {
    const [ingresses, routes, services, authority, served, ...ordered] = await Promise.all([
        kubectl.list<Ingress>("ingresses.networking.k8s.io", "--all-namespaces"),
        kubectl.listIfKnown<IngressRoute>("ingressroutes.traefik.io", "--all-namespaces"),
        kubectl.list<Service>("services", "--all-namespaces", "--field-selector", "spec.type=LoadBalancer"),
        readAuthority(kubectl),
        readEdgeNames(kubectl),
        ...orderKinds.map((kind) => kubectl.listIfKnown<OrderObject>(kind, "--all-namespaces")),
    ]);
    const inside = given === undefined ? addressesOf(services, "adguard", "adguard-lan") : [given];
    if (inside.length === 0) {
        throw new Failure(
            "AdGuard Home has no address: see `kubectl -n adguard get service adguard-lan`, or name the home's DNS server " +
                "with --dns",
        );
    }
    const names = homeNames(ingresses, routes ?? [], addressesOf(services, "kube-system", "traefik"));
    return {
        dns: inside,
        authority: authority && new X509Certificate(authority).fingerprint256,
        pending: pendingOrders(ordered.flatMap((each) => each ?? [])),
        strays: served?.filter((each) => !names.some(({ name }) => name === each)),
        names: await Promise.all(
            names.map(async (each) => {
                const report = await checkName(each, { inside, outside: publicServers, authority });
                const { access, problems } = accessTo(each, served);
                return { ...report, access, problems: [...report.problems, ...problems] };
            }),
        ),
    };
}

const answer = (found: Answer) => (typeof found === "string" ? found : found.join(" "));

function format({ authority, names: reports, strays, pending }: HomeReport): string {
    const rows = reports.map(({ name, inside, outside, access, certificate, tls, problems }) => [
        problems.length > 0 ? colors.red("bad") : colors.green("ok"),
        name,
        answer(inside),
        answer(outside),
        access,
        certificate?.issuer ?? (tls ? "-" : "plain HTTP"),
        certificate?.until ?? "-",
    ]);
    const wrong = reports.filter(({ problems }) => problems.length > 0);
    return [
        formatTable(["", "NAME", "INSIDE", "OUTSIDE", "INTERNET", "ISSUER", "UNTIL"], rows),
        "",
        ...wrong.flatMap(({ name, object, problems }) => [
            `${colors.bold(name)} (${object})`,
            ...problems.map((each) => `  ${each}`),
            "",
        ]),
        ...(pending.length > 0 ? [...pending, ""] : []),
        ...(strays === undefined
            ? ["The edge is unreachable, so its names are unknown: docs/runbooks/TunnelDown.md", ""]
            : []),
        ...(strays ?? []).map((each) => `${each} is open on the Internet, but is not a name of the home`),
        ...(strays?.length ? ["Delete it on Pangolin's pages: docs/runbooks/OpenWithoutChart.md", ""] : []),
        ...(authority ? [`SHA-256 fingerprint of the home's certificate authority: ${authority}`] : []),
        wrong.length > 0
            ? `${wrong.length} of ${reports.length} names do not work: docs/names.md`
            : `${reports.length} names lead to Traefik, with certificates that devices of the home trust.`,
    ].join("\n");
}

/** `hack/names` */
export const verb = defineVerb({
    describe:
        "Lists every name of the home: its addresses inside and outside, who reaches it, its certificate, and problems",
    options: (parser) =>
        parser
            .options({
                ...stackOption,
                dns: {
                    type: "string",
                    requiresArg: true,
                    describe: "Address of the home's DNS server; AdGuard Home's by default",
                },
                json: { type: "boolean", describe: "Print JSON" },
            })
            .check(({ dns }) => {
                if (dns !== undefined && isIP(dns) === 0) {
                    throw new Failure(`--dns is ${JSON.stringify(dns)}: expected an IP address`, exitCodes.usage);
                }
                return true;
            }),
    examples: [
        ["$0", "as a device in the home's network sees them"],
        ["$0 --dns 192.168.1.1", "as a device that uses the router's DNS sees them"],
    ],
    run: async ({ stack: name, dns, json }) => {
        const stack = await readStack(name);
        const report = await withKubeconfig(stack, (path) => readReport(new Kubectl(path), dns));
        process.stdout.write(`${json ? JSON.stringify(report, undefined, 2) : format(report)}\n`);
        const isWrong =
            report.pending.length > 0 ||
            (report.strays ?? []).length > 0 ||
            report.names.some(({ problems }) => problems.length > 0);
        return isWrong ? exitCodes.failed : exitCodes.done;
    },
});
