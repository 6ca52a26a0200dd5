import { isIPv4 } from "node:net";

/** A range of IPv4 addresses as numbers, both ends included. */
export interface AddressRange {
    readonly first: number;
    readonly last: number;
}

/** An IPv4 address as a number, so that two can be compared; NaN for anything else. */
export function ipv4(address: string): number {
    return isIPv4(address) ? address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0) : Number.NaN;
}

/** An IPv4 address from its number. */
export function formatIPv4(address: number): string {
    return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** A range as MetalLB takes it: `first-last`, or a CIDR; undefined for anything else. */
export function parseRange(text: string): AddressRange | undefined {
    const [network = "", prefix, ...rest] = text.split("/");
    if (prefix !== undefined) {
        if (rest.length > 0 || !isIPv4(network) || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) {
            return undefined;
        }
        const size = 2 ** (32 - Number(prefix));
        const first = Math.floor(ipv4(network) / size) * size;
        return { first, last: first + size - 1 };
    }
    const [first = "", last = "", ...more] = text.split("-").map((each) => each.trim());
    const range = { first: ipv4(first), last: ipv4(last) };
    return more.length === 0 && range.first <= range.last ? range : undefined;
}

/** Reports whether a range has an address in it. */
export function contains({ first, last }: AddressRange, address: string): boolean {
    return ipv4(address) >= first && ipv4(address) <= last;
}

/** Reports whether two ranges have an address in common. */
export function overlap(a: AddressRange, b: AddressRange): boolean {
    return a.first <= b.last && b.first <= a.last;
}

/** Networks in which no host of a home has its address, each with its purpose. */
const special: readonly (readonly [cidr: string, what: string])[] = [
    ["0.0.0.0/8", "no network of hosts"],
    ["127.0.0.0/8", "the loopback network of every host"],
    ["169.254.0.0/16", "the link-local network"],
    ["224.0.0.0/3", "a network of multicast or broadcast addresses"],
];

/** The reserved network that a range of the home overlaps: its CIDR and purpose. */
export function specialNetwork(range: AddressRange): string | undefined {
    const found = special.find(([cidr]) => {
        const network = parseRange(cidr);
        return network !== undefined && overlap(network, range);
    });
    return found && `${found[0]}, ${found[1]}`;
}

/** The same for an address; undefined for a host name too. */
export function specialNetworkOf(address: string): string | undefined {
    return isIPv4(address) ? specialNetwork({ first: ipv4(address), last: ipv4(address) }) : undefined;
}

/** A /24 network that a range fills completely, so that its hosts have no address left. */
export function wholeNetwork({ first, last }: AddressRange): string | undefined {
    const start = Math.floor(first / 256) * 256;
    const whole = [start, start + 256].find(
        (network) => Math.min(last, network + 255) - Math.max(first, network) + 1 >= 250,
    );
    return whole === undefined ? undefined : `${formatIPv4(whole)}/24`;
}

/** Reports whether MetalLB assigns an address to no Service because of its last number: `avoidBuggyIPs` of its pool. */
export function isBuggy(address: string): boolean {
    return /\.(0|255)$/.test(address);
}
