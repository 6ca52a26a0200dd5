import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { type AddressRange, contains, formatIPv4, isBuggy, parseRange } from "../config/networks";
import type { Settings } from "../config/schema";
import { readYaml } from "../config/yaml";
import { Failure } from "../lib/failure";
import type { Application } from "./applications";
import type { ClusterFacts } from "./cluster";
import { requestedAddress } from "./k3s";

/** Addresses of the home's services in its network. */
export interface HomeAddresses {
    /** Address of k3s' Traefik, to which every name of the home resolves. */
    readonly traefik: string;
    /** Address of AdGuard Home, the devices' DNS server; undefined in a home without it. */
    readonly adguard?: string;
}

/** Stack outputs that lead to the home's first page. */
export interface FirstSteps {
    readonly traefik: string;
    readonly dns: string;
    /** Setting to make at the router. */
    readonly router: string;
    readonly firstPage: string;
}

/**
 * The steps from `pulumi up` to the first page.
 *
 * @param addresses undefined while the cluster is not known
 */
export function firstSteps(
    { domain, letsencrypt }: Pick<Settings, "domain" | "letsencrypt">,
    addresses: HomeAddresses | undefined,
): FirstSteps {
    const dns = addresses?.adguard;
    const traefik = addresses?.traefik ?? "unknown: the cluster does not answer yet";
    const isTrusted = letsencrypt?.staging === false;
    // Pulumi warns of an output without a value.
    return {
        traefik,
        dns: dns ?? "none: this home does not run AdGuard Home",
        router: dns
            ? `Set ${dns} as the DNS server that DHCP hands out, and no second one.`
            : `Let your DNS server answer *.${domain} with the address of traefik.`,
        firstPage: isTrusted ? `https://home.${domain}` : `http://ca.${domain}`,
    };
}

/** A Service of type LoadBalancer whose address the home's names depend on. */
interface Role {
    /** Its setting below `hearth:loadBalancer`. */
    readonly key: "traefik" | "adguard";
    readonly title: string;
    /** `namespace/name` */
    readonly service: string;
    /** Address that its configuration requests, if any. */
    readonly requested: string | undefined;
}

/** Addresses of ranges in the order in which MetalLB assigns them, or in reverse. */
function* addressesOf(ranges: readonly AddressRange[], order: "ascending" | "descending"): Generator<string> {
    for (const { first, last } of order === "ascending" ? ranges : ranges.toReversed()) {
        for (let offset = 0; offset <= last - first; offset++) {
            const address = formatIPv4(order === "ascending" ? first + offset : last - offset);
            if (!isBuggy(address)) {
                yield address;
            }
        }
    }
}

/** Address that AdGuard's chart values or its Application set. */
function addressInValues(root: string, { name, manifest }: Application): string | undefined {
    const values = [
        manifest.spec.sources[0].helm?.valuesObject,
        readYaml(readFileSync(join(root, "charts", name, "values.yaml"), "utf8")),
    ];
    const given = values.map((each) => Object(each).workloads?.adguard?.address);
    return given.find((each) => isIPv4(String(each)));
}

/**
 * Chooses the addresses of Traefik and AdGuard Home: the one in the settings, else the current one, else the first and
 * the last free one. MetalLB assigns from the first on, so the last one stays free longest.
 *
 * @param root the repository's top folder
 * @throws Failure when an address is in use, when the pool no longer has it, or when no address is free
 */
export function chooseAddresses(
    root: string,
    loadBalancer: Settings["loadBalancer"],
    applications: readonly Application[],
    { loadBalancers, traefikValues }: Pick<ClusterFacts, "loadBalancers" | "traefikValues">,
): HomeAddresses {
    const ranges = loadBalancer.addresses.flatMap((each) => parseRange(each) ?? []);
    const inPool = (address: string) => ranges.some((range) => contains(range, address));
    const adguard = applications.find(({ name }) => name === "adguard");
    const inValues = adguard && addressInValues(root, adguard);
    if (inValues !== undefined && loadBalancer.adguard !== undefined) {
        throw new Failure("set either hearth:loadBalancer.adguard or workloads.adguard.address in its chart, not both");
    }
    const serviceOf = (name: string) => loadBalancers.find(({ service }) => service === name);
    const roles: readonly Role[] = [
        {
            key: "traefik",
            title: "Traefik",
            service: "kube-system/traefik",
            requested: requestedAddress(traefikValues),
        },
        ...(adguard
            ? [
                  {
                      key: "adguard",
                      title: "AdGuard Home",
                      service: `${adguard.namespace}/adguard-lan`,
                      requested: inValues ?? serviceOf(`${adguard.namespace}/adguard-lan`)?.requested,
                  } as const,
              ]
            : []),
    ];
    const settled = new Map(roles.map((role) => [role.key, settledAddress(role)]));

    function settledAddress({ key, title, service, requested }: Role): string | undefined {
        const given = loadBalancer[key];
        const owner = loadBalancers.find((each) => given !== undefined && each.addresses.includes(given));
        const held = serviceOf(service)?.addresses ?? [];
        if (given !== undefined && owner && !held.includes(given)) {
            throw new Failure(
                `hearth:loadBalancer.${key} is ${given}, which Service ${owner.service} uses: set another address, or ` +
                    "move that Service first",
            );
        }
        if (given === undefined && requested !== undefined && !inPool(requested)) {
            throw new Failure(
                `${title} uses ${requested}, which is not in hearth:loadBalancer.addresses: add it to a range, or set ` +
                    `hearth:loadBalancer.${key} to the address that it moves to`,
            );
        }
        return given ?? requested ?? held.find((each) => isIPv4(each) && inPool(each));
    }

    function freeAddress({ key, title }: Role): string {
        const taken = new Set([...settled.values(), ...loadBalancers.flatMap((each) => each.addresses)]);
        for (const address of addressesOf(ranges, key === "traefik" ? "ascending" : "descending")) {
            if (!taken.has(address)) {
                return address;
            }
        }
        throw new Failure(
            `hearth:loadBalancer.addresses has no free address for ${title}: add a range; in use are ` +
                [...taken].filter((each) => each !== undefined).join(", "),
        );
    }

    for (const role of roles) {
        settled.set(role.key, settled.get(role.key) ?? freeAddress(role));
    }
    const [traefik = "", own] = roles.map(({ key }) => settled.get(key));
    return { traefik, ...(own !== undefined && { adguard: own }) };
}
