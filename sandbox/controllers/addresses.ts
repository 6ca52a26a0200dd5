import { isIPv4, isIPv6 } from "node:net";

/** Addresses in a row, both ends included. */
export interface Range {
    readonly family: 4 | 6;
    readonly first: bigint;
    readonly last: bigint;
}

/** The groups of an IPv6 address, the double colon written out. */
function groupsOf(text: string): string[] {
    // The last 32 bits may be written as an IPv4 address.
    const hexadecimal = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
        const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
        return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    });
    const [head = "", tail] = hexadecimal.split("::");
    const split = (part: string) => (part === "" ? [] : part.split(":"));
    if (tail === undefined) {
        return split(head);
    }
    const known = [split(head), split(tail)] as const;
    return [...known[0], ...Array<string>(8 - known[0].length - known[1].length).fill("0"), ...known[1]];
}

/** An address as a number, or undefined when the text is none. */
export function parseAddress(text: string): { readonly family: 4 | 6; readonly value: bigint } | undefined {
    if (isIPv4(text)) {
        return { family: 4, value: text.split(".").reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) };
    }
    if (isIPv6(text) && !text.includes("%")) {
        return { family: 6, value: groupsOf(text).reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n) };
    }
    return undefined;
}

/** The text of an address. IPv6 is written without the double colon, which comparing does not need. */
export function formatAddress(family: 4 | 6, value: bigint): string {
    const [count, bits, radix, separator] = family === 4 ? ([4, 8n, 10, "."] as const) : ([8, 16n, 16, ":"] as const);
    const mask = (1n << bits) - 1n;
    return Array.from({ length: count }, (_, index) =>
        ((value >> (bits * BigInt(count - 1 - index))) & mask).toString(radix),
    ).join(separator);
}

/**
 * Reads `first-last` or a CIDR as MetalLB does.
 *
 * @throws Error in MetalLB's words
 */
export function parseRange(text: string): Range {
    const dash = text.indexOf("-");
    if (dash === -1) {
        const [address = "", length = ""] = text.split("/");
        const parsed = parseAddress(address);
        const bits = parsed?.family === 4 ? 32 : 128;
        if (!parsed || !/^\d+$/.test(length) || Number(length) > bits) {
            throw new Error(`invalid CIDR "${text}"`);
        }
        const size = 1n << BigInt(bits - Number(length));
        const first = (parsed.value / size) * size;
        return { family: parsed.family, first, last: first + size - 1n };
    }
    const [from, to] = [text.slice(0, dash), text.slice(dash + 1)];
    const [start, end] = [parseAddress(from.trim()), parseAddress(to.trim())];
    if (!start) {
        throw new Error(`invalid IP range "${text}": invalid start IP "${from}"`);
    }
    if (!end) {
        throw new Error(`invalid IP range "${text}": invalid end IP "${to}"`);
    }
    if (start.family !== end.family) {
        throw new Error(`invalid IP range "${text}": start and end IPs must be the same family`);
    }
    if (start.value > end.value) {
        throw new Error(`invalid IP range "${text}": start IP "${from.trim()}" is after the end IP "${to.trim()}"`);
    }
    return { family: start.family, first: start.value, last: end.value };
}

/** Whether two ranges share an address. */
export function overlaps(one: Range, other: Range): boolean {
    return one.family === other.family && one.first <= other.last && other.first <= one.last;
}

/** Whether a range holds an address. */
export function holds(range: Range, address: string): boolean {
    const parsed = parseAddress(address);
    return parsed?.family === range.family && range.first <= parsed.value && parsed.value <= range.last;
}
