import type { X509Certificate } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { connect, rootCertificates } from "node:tls";
import type { HomeName } from "./home-names";

/** Milliseconds until a DNS server or Traefik counts as unreachable. */
const patience = 5_000;

/** Answer of a DNS server to a name. */
export type Answer = readonly string[] | "no record" | "no answer";

/** A certificate as a name's server shows it. */
export interface ServedCertificate {
    /** Names that it is for. */
    readonly names: readonly string[];
    /** Common name of its issuer, or the issuer's other name. */
    readonly issuer: string;
    /** Last day on which it is valid, for instance 2027-02-28. */
    readonly until: string;
}

/** Result of {@link checkName}. */
export interface NameReport extends HomeName {
    /** Addresses that the home's DNS server answers with. */
    readonly inside: Answer;
    /** Addresses that public DNS servers answer with. */
    readonly outside: Answer;
    /** Undefined for plain HTTP, and where nothing answers. */
    readonly certificate?: ServedCertificate;
    /** All problems, a sentence each. */
    readonly problems: readonly string[];
}

/** DNS servers and certificate authority that a name is checked with. */
export interface Surroundings {
    /** Addresses of the home's DNS servers, each with a port if it is not 53. */
    readonly inside: readonly string[];
    /** Addresses of public DNS servers. */
    readonly outside: readonly string[];
    /** PEM of the home's own certificate authority; undefined in a home without one. */
    readonly authority?: string | undefined;
    /** TCP port of HTTPS. */
    readonly port?: number;
    /** @default now */
    readonly now?: Date;
}

/** Queries DNS servers for the addresses of a name. */
export async function lookUp(servers: readonly string[], name: string): Promise<Answer> {
    const resolver = new Resolver({ timeout: patience / 2, tries: 2 });
    resolver.setServers(servers);
    const isAbsent = ({ code }: NodeJS.ErrnoException) => code === "ENOTFOUND" || code === "ENODATA";
    const ask = (query: Promise<string[]>) => query.catch((error) => (isAbsent(error) ? [] : undefined));
    // A query for a wildcard uses an arbitrary name.
    const asked = name.replace(/^\*/, "any");
    const [four, six] = await Promise.all([ask(resolver.resolve4(asked)), ask(resolver.resolve6(asked))]);
    const all = [...(four ?? []), ...(six ?? [])];
    return all.length > 0 ? all.sort() : four === undefined ? "no answer" : "no record";
}

/** Common name of a certificate's subject or issuer, or all of it. */
const called = (distinguishedName: string) => /^CN=(.+)$/m.exec(distinguishedName)?.[1] ?? distinguishedName;

const dayOf = (date: string) => new Date(date).toISOString().slice(0, 10);

/** Certificate that a server presents for a name, and the reason why a device would reject its chain. */
function served(
    host: string,
    name: string,
    { authority, port = 443 }: Surroundings,
): Promise<{ certificate: X509Certificate; refused: string | undefined } | undefined> {
    return new Promise((resolve) => {
        const socket = connect({
            host,
            port,
            servername: name,
            ca: [...rootCertificates, ...(authority ? [authority] : [])],
            // Read regardless of errors; nothing is sent.
            rejectUnauthorized: false,
            timeout: patience,
        });
        const end = (result: Awaited<ReturnType<typeof served>>) => {
            socket.destroy();
            resolve(result);
        };
        socket.once("secureConnect", () => {
            const certificate = socket.getPeerX509Certificate();
            const refused = socket.authorizationError;
            end(certificate && { certificate, refused: refused ? String(Object(refused).code ?? refused) : undefined });
        });
        socket.once("timeout", () => end(undefined));
        socket.once("error", () => end(undefined));
    });
}

/** Reasons to reject a chain that {@link certificateProblems} reports separately. */
const reported = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "ERR_TLS_CERT_ALTNAME_INVALID"];

function certificateProblems(name: string, found: X509Certificate, refused: string | undefined, now: Date): string[] {
    const issuer = called(found.issuer);
    const isOfName = found.checkHost(name) !== undefined;
    if (called(found.subject) === "TRAEFIK DEFAULT CERT") {
        return ["Traefik has no certificate for it, and serves its self-signed default"];
    }
    return [
        ...(isOfName ? [] : [`the certificate is for ${certificateNames(found).join(", ")}`]),
        ...(now > new Date(found.validTo) ? [`the certificate expired on ${dayOf(found.validTo)}`] : []),
        ...(now < new Date(found.validFrom)
            ? [`the certificate is not valid before ${dayOf(found.validFrom)}: compare this machine's clock`]
            : []),
        ...(refused === undefined || reported.includes(refused)
            ? []
            : [
                  /\(STAGING\)/.test(found.issuer)
                      ? `devices do not trust ${issuer}, Let's Encrypt's staging server: set hearth:letsencrypt.staging to false`
                      : `devices do not trust its issuer, ${issuer}`,
              ]),
    ];
}

function certificateNames({ subject, subjectAltName = "" }: X509Certificate): string[] {
    const names = subjectAltName
        .split(", ")
        .filter((each) => each.startsWith("DNS:"))
        .map((each) => each.slice("DNS:".length));
    return names.length > 0 ? names : [called(subject)];
}

function recordProblems(inside: Answer, expected: readonly string[], servers: readonly string[]): string[] {
    const server = servers.join(", ");
    if (inside === "no answer") {
        return [`the DNS server ${server} does not answer`];
    }
    if (inside === "no record") {
        return [`the DNS server ${server} has no record of it`];
    }
    const others = inside.filter((each) => !expected.includes(each));
    return others.length > 0
        ? [`the DNS server ${server} returns ${others.join(", ")}, but Traefik has ${expected.join(", ")}`]
        : [];
}

/** Resolves a name inside and outside of the home, and reads the certificate that is served for it. */
export async function checkName(home: HomeName, surroundings: Surroundings): Promise<NameReport> {
    const { name, addresses, tls } = home;
    const [address] = addresses;
    const host = name.replace(/^\*/, "any");
    const [inside, outside, found] = await Promise.all([
        lookUp(surroundings.inside, name),
        lookUp(surroundings.outside, name),
        tls && address !== undefined ? served(address, host, surroundings) : undefined,
    ]);
    const problems =
        address === undefined
            ? ["the ingress controller has no address: `kubectl -n kube-system get service traefik`"]
            : recordProblems(inside, addresses, surroundings.inside);
    if (tls && address !== undefined && found === undefined) {
        problems.push(`nothing answers at ${address}, port ${surroundings.port ?? 443}`);
    }
    if (found === undefined) {
        return { ...home, inside, outside, problems };
    }
    const { certificate, refused } = found;
    return {
        ...home,
        inside,
        outside,
        certificate: {
            names: certificateNames(certificate),
            issuer: called(certificate.issuer),
            until: dayOf(certificate.validTo),
        },
        problems: [...problems, ...certificateProblems(host, certificate, refused, surroundings.now ?? new Date())],
    };
}
