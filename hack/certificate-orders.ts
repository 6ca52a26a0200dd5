/** Certificate, Order or Challenge of cert-manager, as the API server lists it. */
export interface OrderObject {
    readonly kind: string;
    readonly metadata: { readonly namespace: string; readonly name: string };
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
        "Let's Encrypt reads another record than the token writes: the domain's name servers are not this provider's",
    ],
    [
        /no Zones for domain|Could not find.*zone|NXDOMAIN|start of authority/i,
        "the token's account does not have this domain: it may be somebody else's, or in another account; compare hearth:domain",
    ],
    [
        /Invalid access token|Authentication error|Unable to authenticate|Error: (6003|9109|10000)\b|\b40[13]\b|Forbidden|Unauthorized/i,
        "the DNS provider rejects the token: create one that may edit this domain's records, and set it with `npx pulumi config " +
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

/**
 * Certificates that are being ordered or cannot be, a line each; reasons of their Orders and Challenges before them.
 */
export function pendingOrders(objects: readonly OrderObject[]): string[] {
    const reasons = objects
        .filter(({ kind, status }) => kind !== "Certificate" && status?.state !== "valid" && status?.reason)
        .map(({ status }) => explained(status?.reason ?? ""));
    const waiting = objects.flatMap(({ kind, metadata, status }) => {
        const ready = status?.conditions?.find(({ type }) => type === "Ready");
        return kind === "Certificate" && ready?.status !== "True"
            ? `Certificate ${metadata.namespace}/${metadata.name} is not ready: ${ready?.message ?? "it is new"}`
            : [];
    });
    return waiting.length > 0 ? [...new Set(reasons), ...waiting] : [];
}
