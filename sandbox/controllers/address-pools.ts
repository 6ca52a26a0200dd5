import { formatAddress, holds, overlaps, parseAddress, parseRange, type Range } from "./addresses";
import type { V1Service } from "./kubernetes-types";
import { matches } from "./labels";
import type { AddressPool, Advertisement } from "./metallb-types";

/** Why a Service gets no address, in MetalLB's words where it has some. */
export class NoAddress extends Error {
    /** @param reason of the event */
    constructor(
        readonly reason: "AllocationFailed" | "LoadBalancerFailed",
        message: string,
    ) {
        super(message);
    }
}

/** An address of a Service, and the pool that it is from. */
export interface Assignment {
    readonly address: string;
    readonly pool: string;
}

/** A Service that has an address. */
export interface Holder {
    readonly service: V1Service;
    readonly address: string;
}

/** What the choice of an address depends on. */
export interface Situation {
    readonly pools: readonly AddressPool[];
    readonly advertisements: readonly Advertisement[];
    /** Labels of the Service's namespace. */
    readonly namespaceLabels: Readonly<Record<string, string>>;
    /** The other Services that have an address. */
    readonly holders: readonly Holder[];
}

/** An annotation of MetalLB, by its name or the name that it had in earlier releases. */
function annotation({ metadata }: V1Service, name: string): string | undefined {
    return metadata?.annotations?.[`metallb.io/${name}`] ?? metadata?.annotations?.[`metallb.universe.tf/${name}`];
}

/** Whether an advertisement announces the pool. */
export function isAnnounced({ metadata }: AddressPool, advertisements: readonly Advertisement[]): boolean {
    return advertisements.some(({ spec }) => {
        const { ipAddressPools = [], ipAddressPoolSelectors = [] } = spec ?? {};
        const everything = ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0;
        const named = ipAddressPools.includes(metadata?.name ?? "");
        return everything || named || ipAddressPoolSelectors.some((each) => matches(each, metadata?.labels));
    });
}

/** Whether a pool that is set aside for some Services is set aside for this one. */
function isPinnedTo({ spec }: AddressPool, service: V1Service, namespaceLabels: Situation["namespaceLabels"]): boolean {
    const { namespaces = [], namespaceSelectors = [], serviceSelectors = [] } = spec.serviceAllocation ?? {};
    const anyNamespace = namespaces.length === 0 && namespaceSelectors.length === 0;
    const inNamespace =
        anyNamespace ||
        namespaces.includes(service.metadata?.namespace ?? "") ||
        namespaceSelectors.some((each) => matches(each, namespaceLabels));
    const chosen =
        serviceSelectors.length === 0 || serviceSelectors.some((each) => matches(each, service.metadata?.labels));
    return inNamespace && chosen && !(anyNamespace && serviceSelectors.length === 0);
}

/** The pools that a Service may take an address from, in the order in which they are tried. */
export function poolsFor(service: V1Service, { pools, namespaceLabels }: Situation): AddressPool[] {
    const sorted = [...pools].sort((one, other) =>
        (one.metadata?.name ?? "") < (other.metadata?.name ?? "") ? -1 : 1,
    );
    const wanted = annotation(service, "address-pool");
    if (wanted !== undefined) {
        const named = sorted.find(({ metadata }) => metadata?.name === wanted);
        if (!named) {
            throw new NoAddress("AllocationFailed", `unknown pool "${wanted}"`);
        }
        if (named.spec.serviceAllocation && !isPinnedTo(named, service, namespaceLabels)) {
            throw new NoAddress("AllocationFailed", `pool ${wanted} not compatible for ip assignment`);
        }
        return [named];
    }
    const automatic = sorted.filter(({ spec }) => spec.autoAssign !== false);
    const priority = ({ spec }: AddressPool) => spec.serviceAllocation?.priority || Number.POSITIVE_INFINITY;
    const pinned = automatic
        .filter((pool) => pool.spec.serviceAllocation && isPinnedTo(pool, service, namespaceLabels))
        .sort((one, other) => (priority(one) < priority(other) ? -1 : Number(priority(one) > priority(other))));
    return [...pinned, ...automatic.filter(({ spec }) => !spec.serviceAllocation)];
}

const portsOf = ({ spec }: V1Service) =>
    (spec?.ports ?? []).map(({ port, protocol }) => `${protocol ?? "TCP"}/${port}`);

/** What two Services that share an address must have in common. */
const backendOf = ({ spec }: V1Service) =>
    spec?.externalTrafficPolicy === "Local" ? JSON.stringify(Object.entries(spec.selector ?? {}).sort()) : "";

/** Whether a Service may take an address that others have already. */
function mayShare(service: V1Service, others: readonly V1Service[]): boolean {
    const key = annotation(service, "allow-shared-ip");
    return others.every(
        (other) =>
            key !== undefined &&
            key !== "" &&
            annotation(other, "allow-shared-ip") === key &&
            backendOf(other) === backendOf(service) &&
            !portsOf(other).some((port) => portsOf(service).includes(port)),
    );
}

/** A pool that came in past the webhook and cannot be read makes MetalLB refuse the whole configuration. */
function rangesOf({ metadata, spec }: AddressPool): Range[] {
    try {
        return (spec.addresses ?? []).map(parseRange);
    } catch (error) {
        throw new NoAddress("AllocationFailed", `parsing address pool ${metadata?.name}: ${(error as Error).message}`);
    }
}

const isBuggy = (address: string) => /^\d.*\.(0|255)$/.test(address);

/** The address that a Service asks for, if it asks for one. */
function requestedAddress(service: V1Service): string | undefined {
    const annotated = annotation(service, "loadBalancerIPs");
    const inSpec = service.spec?.loadBalancerIP || undefined;
    if (annotated !== undefined && inSpec !== undefined) {
        throw new NoAddress(
            "LoadBalancerFailed",
            "invalid requested loadbalancer IPs: service can not have both metallb.io/loadBalancerIPs and " +
                "svc.Spec.LoadBalancerIP",
        );
    }
    const wanted = annotated ?? inSpec;
    if (wanted !== undefined && !parseAddress(wanted)) {
        const where = annotated === undefined ? "spec.loadBalancerIP" : "metallb.io/loadBalancerIPs";
        throw new NoAddress("LoadBalancerFailed", `invalid requested loadbalancer IPs: invalid ${where} "${wanted}"`);
    }
    return wanted;
}

/**
 * Chooses a Service's address as MetalLB does. MetalLB itself also hands out the addresses of a pool that nothing
 * announces, which then nobody reaches: nothing here would show that, so such a pool counts as a mistake. What it gave
 * stays given, as with MetalLB, also while its advertisement is replaced.
 *
 * @param current the address that it has, kept as long as it is allowed
 * @throws NoAddress when it gets none
 */
export function assignAddress(service: V1Service, current: string | undefined, situation: Situation): Assignment {
    const { advertisements, holders } = situation;
    const candidates = poolsFor(service, situation);
    const requested = requestedAddress(service);
    const family = (service.spec?.ipFamilies ?? ["IPv4"])[0] === "IPv6" ? 6 : 4;
    const isFree = (address: string) =>
        mayShare(
            service,
            holders.filter((each) => each.address === address).map((each) => each.service),
        );
    const poolOf = (address: string, pools: readonly AddressPool[]) =>
        pools.find(
            (pool) =>
                rangesOf(pool).some((range) => range.family === family && holds(range, address)) &&
                !(pool.spec.avoidBuggyIPs && isBuggy(address)),
        );
    const assign = (address: string, pool: AddressPool): Assignment => {
        const name = pool.metadata?.name ?? "";
        if (address !== current && !isAnnounced(pool, advertisements)) {
            throw new NoAddress("AllocationFailed", `no L2Advertisement or BGPAdvertisement announces pool "${name}"`);
        }
        return { address, pool: name };
    };
    if (requested !== undefined) {
        // Asking for an address is asking for its pool, also for one that gives none by itself.
        const within = annotation(service, "address-pool") === undefined ? situation.pools : candidates;
        const pool = poolOf(requested, within);
        if (!pool || (pool.spec.serviceAllocation && !isPinnedTo(pool, service, situation.namespaceLabels))) {
            throw new NoAddress("AllocationFailed", `["${requested}"] is not allowed in config`);
        }
        if (!isFree(requested)) {
            const [holder] = holders.filter(({ address }) => address === requested);
            const { namespace, name } = holder?.service.metadata ?? {};
            throw new NoAddress(
                "AllocationFailed",
                `can't change sharing key for "${service.metadata?.namespace}/${service.metadata?.name}", ` +
                    `address also in use by ${namespace}/${name}`,
            );
        }
        return assign(requested, pool);
    }
    const held = current === undefined ? undefined : poolOf(current, candidates);
    if (current !== undefined && held && isFree(current)) {
        return assign(current, held);
    }
    for (const pool of candidates) {
        for (const range of rangesOf(pool).filter((each) => each.family === family)) {
            for (let value = range.first; value <= range.last; value++) {
                const address = formatAddress(family, value);
                if (!(pool.spec.avoidBuggyIPs && isBuggy(address)) && isFree(address)) {
                    return assign(address, pool);
                }
            }
        }
    }
    throw new NoAddress("AllocationFailed", "no available IPs");
}

/**
 * Judges a pool beside the others, as MetalLB's webhook does.
 *
 * @returns what is wrong, or undefined
 */
export function validatePool(pool: AddressPool, others: readonly AddressPool[]): string | undefined {
    const name = pool.metadata?.name ?? "";
    const addresses = pool.spec?.addresses ?? [];
    if (addresses.length === 0) {
        return `parsing address pool ${name}: pool has no prefixes defined`;
    }
    const taken: { readonly text: string; readonly range: Range }[] = [];
    for (const { metadata, spec } of others.filter((other) => other.metadata?.name !== name)) {
        for (const text of spec.addresses ?? []) {
            try {
                taken.push({ text, range: parseRange(text) });
            } catch (error) {
                return `parsing address pool ${metadata?.name}: ${(error as Error).message}`;
            }
        }
    }
    for (const text of addresses) {
        let range: Range;
        try {
            range = parseRange(text);
        } catch (error) {
            return `parsing address pool ${name}: invalid CIDR "${text}" in pool "${name}": ${(error as Error).message}`;
        }
        const other = taken.find((each) => overlaps(each.range, range));
        if (other) {
            return `CIDR "${text}" in pool "${name}" overlaps with already defined CIDR "${other.text}"`;
        }
        taken.push({ text, range });
    }
    return undefined;
}
