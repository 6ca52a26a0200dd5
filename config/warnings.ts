import { contains, parseRange } from "./networks";
import type { Settings } from "./schema";

/** Last numbers of the addresses that routers have in most homes. */
const routers = [1, 254];

/** Addresses in a pool that are the router's in most homes of a /24 network; none where the router is known. */
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

/** Doubts about valid settings that are wrong in most homes, as sentences. */
export function settingWarnings(
    settings: Pick<Settings, "domain" | "letsencrypt" | "loadBalancer" | "nodes">,
): string[] {
    const example = [settings.domain, ...(settings.letsencrypt ? [settings.letsencrypt.email] : [])].find((each) =>
        /(^|[.@])example\.(com|net|org)$/.test(each),
    );
    return [
        ...likelyRouters(settings).map(
            (address) =>
                `hearth:loadBalancer.addresses has ${address}, which is the router's address in most homes: if it is here, take it out ` +
                "of the range, since the home loses its Internet access once a Service gets it",
        ),
        ...(settings.letsencrypt && example !== undefined
            ? [
                  `hearth:letsencrypt: ${example} is an example's: Let's Encrypt signs for domains of your own, with an e-mail ` +
                      "address of yours",
              ]
            : []),
    ];
}
