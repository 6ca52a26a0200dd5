/** Certificate, Order or Challenge of cert-manager, as the API server lists it. */
export interface OrderObject {
    readonly kind: string;
    readonly metadata: {
        readonly namespace: string;
        readonly name: string;
        readonly creationTimestamp?: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly status?: {
        readonly state?: string;
        readonly reason?: string;
        readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    };
}

/** Messages of cert-manager 1.21 and of the providers, each with its meaning and the next step. */
const meanings: readonly (readonly [message: RegExp, meaning: string])[] = [
    [
        /rateLimited|too many (certificates|failed|new orders)/i,
        "Let's Encrypt's rate limit is reached: the old certificate stays, and cert-manager retries; change nothing until " +
            "the time that it names",
    ],
    [
        /Incorrect TXT record|No TXT record found/i,
        "Let's Encrypt does not find the record that the token writes: the domain's name servers are not this provider's",
    ],
    [
        /no Zones for domain|Could not find.*zone|NXDOMAIN|start of authority/i,
        "the token's account does not have this domain: it may belong to someone else, or to another account; compare hearth:domain",
    ],
    [
        /Invalid access token|Authentication error|Unable to authenticate|Error: (6003|9109|10000)\b|\b40[13]\b|Forbidden|Unauthorized/i,
        "the DNS provider rejects the token: create one with write access to this domain's records, and set it with `npx pulumi config " +
            "set --secret --path hearth:secrets.cert-manager.dns-token`",
    ],
    [
        /not yet propagated|propagation/i,
        "the DNS provider has not published the record yet: wait, up to an hour is normal",
    ],
    [
        /rejectedIdentifier|policy forbids/i,
        "Let's Encrypt does not sign for this domain: set hearth:domain to one that you own",
    ],
    [
        /timeout|timed out|no such host|connection refused/i,
        "the DNS provider or Let's Encrypt does not answer: the old certificate stays, and cert-manager retries",
    ],
];

/** Meaning of a message of cert-manager, with the message itself; the message alone when it is unknown. */
export function explained(message: string): string {
    const text = message.replace(/\s+/g, " ").trim();
    const meaning = meanings.find(([pattern]) => pattern.test(text))?.[1];
    return meaning === undefined ? text : `${meaning} (${text})`;
}

/** Kinds that {@link pendingOrders} takes, as kubectl names them. */
export const orderKinds = [
    "certificates.cert-manager.io",
    "orders.acme.cert-manager.io",
    "challenges.acme.cert-manager.io",
] as const;

/** Previous orders of a certificate, whose reasons no longer apply. */
function isSuperseded({ kind, metadata }: OrderObject, objects: readonly OrderObject[]): boolean {
    const certificate = ({ namespace, annotations }: OrderObject["metadata"]) =>
        annotations?.["cert-manager.io/certificate-name"] &&
        `${namespace}/${annotations["cert-manager.io/certificate-name"]}`;
    const own = certificate(metadata);
    return (
        kind === "Order" &&
        own !== undefined &&
        objects.some(
            (each) =>
                each.kind === "Order" &&
                certificate(each.metadata) === own &&
                (each.metadata.creationTimestamp ?? "") > (metadata.creationTimestamp ?? ""),
        )
    );
}

/** Sentence about a Certificate that is not ready, or whose renewal fails; undefined for every other one. */
function waitingFor({ metadata, status }: OrderObject, hasReasons: boolean): string | undefined {
    const condition = (name: string) => status?.conditions?.find(({ type }) => type === name);
    const [ready, issuing] = [condition("Ready"), condition("Issuing")];
    const name = `Certificate ${metadata.namespace}/${metadata.name}`;
    if (ready?.status !== "True") {
        return `${name} is not ready: ${ready?.message ?? "it is new"}`;
    }
    // cert-manager removes the condition when the renewal succeeds.
    return issuing && (issuing.status !== "True" || hasReasons)
        ? `${name} is not renewed yet, and the current one is served: ${issuing.message ?? "no reason is given"}`
        : undefined;
}

/**
 * Certificates with a pending or failed order, a line each, after the reasons of their Orders and Challenges.
 *
 * @param objects of {@link orderKinds}
 */
export function pendingOrders(objects: readonly OrderObject[]): string[] {
    const reasons = objects
        .filter(({ kind, status }) => kind !== "Certificate" && status?.state !== "valid" && status?.reason)
        .filter((each) => !isSuperseded(each, objects))
        .map(({ status }) => explained(status?.reason ?? ""));
    const waiting = objects
        .filter(({ kind }) => kind === "Certificate")
        .flatMap((each) => waitingFor(each, reasons.length > 0) ?? []);
    return waiting.length > 0 ? [...new Set(reasons), ...waiting] : [];
}
