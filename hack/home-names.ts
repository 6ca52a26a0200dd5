/** Ingress, as the API server lists it. */
export interface Ingress {
    readonly metadata: {
        readonly namespace: string;
        readonly name: string;
        readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly spec: {
        readonly rules?: readonly { readonly host?: string }[];
        readonly tls?: readonly unknown[];
    };
    readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

/** IngressRoute, Traefik's own kind of route. https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/ */
export interface IngressRoute {
    readonly metadata: Ingress["metadata"];
    readonly spec: { readonly routes?: readonly { readonly match?: string }[]; readonly tls?: object };
}

/** A name at which the home serves something. */
export interface HomeName {
    /** For instance photos.home.example.com, or `*.home.example.com`. */
    readonly name: string;
    /** `namespace/name` of the Ingress or IngressRoute; the first, if several have the name. */
    readonly object: string;
    /** True if it is served with a certificate. */
    readonly tls: boolean;
    /** Addresses of its ingress controller; empty until it has any. */
    readonly addresses: readonly string[];
    /**
     * Login in front of it on the Internet, from its chart (`ingress.public`); undefined for a name that is not public.
     */
    readonly login?: "pangolin" | "none";
}

/** Names in Traefik's Host() matchers. */
function hostsOf(match = ""): string[] {
    return [...match.matchAll(/\bHost\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
        [...list.matchAll(/[`"]([^`"]+)[`"]/g)].map(([, host = ""]) => host.toLowerCase()),
    );
}

/**
 * Every name of the home, in alphabetical order, once.
 *
 * @param traefik addresses of k3s' Traefik, for routes without addresses of their own
 */
export function homeNames(
    ingresses: readonly Ingress[],
    routes: readonly IngressRoute[],
    traefik: readonly string[],
): HomeName[] {
    const all = [
        ...ingresses.flatMap(({ metadata, spec, status }) => {
            const own = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
            const open = metadata.annotations?.["hearth/public"];
            return (spec.rules ?? []).flatMap(({ host }) => ({
                name: host ?? "",
                object: `${metadata.namespace}/${metadata.name}`,
                tls: (spec.tls ?? []).length > 0,
                addresses: own.length > 0 ? own : traefik,
                ...(open === undefined ? {} : { login: open === "none" ? ("none" as const) : ("pangolin" as const) }),
            }));
        }),
        ...routes.flatMap(({ metadata, spec }) =>
            (spec.routes ?? [])
                .flatMap(({ match }) => hostsOf(match))
                .map((name) => ({
                    name,
                    object: `${metadata.namespace}/${metadata.name}`,
                    tls: spec.tls !== undefined,
                    addresses: traefik,
                })),
        ),
    ];
    const known = new Map<string, HomeName>();
    for (const each of all.filter(({ name }) => name !== "")) {
        const before = known.get(each.name);
        known.set(each.name, { ...each, ...before, tls: each.tls || before?.tls === true });
    }
    return [...known.values()].sort((a, b) => a.name.localeCompare(b.name, "en"));
}
