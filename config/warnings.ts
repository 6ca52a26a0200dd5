import { contains, parseRange } from "./networks";
import type { Settings } from "./schema";

/** Last numbers of the addresses that routers have in most homes. */
const routers = [1, 254];

/** Addresses in a pool that routers have in most homes with a /24 network; none in a network whose router is known. */
function likelyRouters({ loadBalancer, nodes = [] }: Pick<Settings, "loadBalancer" | "nodes">): string[] {
    const known = nodes.flatMap(({ unlock }) => unlock?.gateway ?? []);
    const networkOf = (address: string) => address.replace(/\.\d+$/, "");
    const networks = new Set([
        ...nodes.map(({ address }) => networkOf(address)),
        ...loadBalancer.addresses.map((range) => networkOf(range.split(/[-/]/)[0]?.trim() ?? "")),
    ]);
    const candidates = [...networks]
        .filter((network) => !known.some((gateway) => networkOf(gateway) === network))
        .flatMap((network) => routers.map((last) => `${network}.${last}`));
    const ranges = loadBalancer.addresses.flatMap((each) => parseRange(each) ?? []);
    return candidates.filter((address) => ranges.some((range) => contains(range, address)));
}

/** Warnings about valid settings that are wrong in most homes, as sentences. */
export function settingWarnings(settings: Pick<Settings, "loadBalancer" | "nodes">): string[] {
    return likelyRouters(settings).map(
        (address) =>
            `hearth:loadBalancer.addresses has ${address}, the router's address in most homes: if it is in this one, take it out of ` +
            "the range, since a Service with that address cuts the home off",
    );
}
